"""Whether saved JSON has the parts that a page is made of; says the first that it lacks."""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING, Any, NamedTuple

from cxr_models.evaluation.metrics import CLASS_METRICS, OVERALL_METRICS, POINT_METRICS
from cxr_models.runs.folder import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable

AUDITED = ("border", "thumbnail", "histogram", "size", "majority", "source", "label_from_source")
_AUDITED_OF_RUNS = ("run", "centre_blanked", "border_blanked")


class Each(NamedTuple):
    """The shape of every value of an object, whatever their names."""

    shape: Any


class Several(NamedTuple):
    """The shape of every member of a list."""

    shape: Any


class Optional(NamedTuple):
    """The shape of what may be left out of an object."""

    shape: Any


def misfit(told: Any, shape: Any, where: tuple[str, ...] = ()) -> str:
    """Return what in `told` does not have its shape, as words; empty if all has.

    Parameters
    ----------
    told : object
        As `json.loads` gives it.
    shape : dict, Each, Several or callable
        Of an object with those names at least, of any names, of a list; or what says whether a
        value fits.
    where : tuple of str, default ()
        Names that lead to `told`.
    """
    place = ".".join(where) or "the whole"
    wrong = f"{place} is {reprlib.repr(told)}"
    if isinstance(shape, (dict, Each)):
        if not isinstance(told, dict):
            return wrong
        parts = shape if isinstance(shape, dict) else dict.fromkeys(told, shape.shape)
        for name, part in parts.items():
            if name not in told:
                if isinstance(part, Optional):
                    continue
                return f"{'.'.join((*where, name))} is missing"
            inner = part.shape if isinstance(part, Optional) else part
            if found := misfit(told[name], inner, (*where, name)):
                return found
        return ""
    if isinstance(shape, Several):
        if not isinstance(told, list):
            return wrong
        inside = (misfit(one, shape.shape, (*where, str(i))) for i, one in enumerate(told))
        return next(filter(None, inside), "")
    return "" if shape(told) else wrong


def classes_shape() -> dict[str, Any]:
    """Return the shape of what tells its classes."""
    return {"class_names": Several(_is_text)}


def evaluation_shape(class_names: Iterable[str]) -> dict[str, Any]:
    """Return the shape of an evaluation of those classes."""
    of_class = {
        "images": _is_count,
        **dict.fromkeys(CLASS_METRICS, _is_measured),
        "operating_point": _is_point,
    }
    overall = dict.fromkeys(
        (*OVERALL_METRICS, "log_loss_calibrated", "ece_calibrated"), _is_measured
    )
    of_group = {
        "images": _is_count,
        "patients": _is_count,
        "labels": Each(_is_count),
        "overall": overall,
        "confusion": {
            "counts": Several(Several(_is_count)),
            "normalised": Several(lambda row: row is None or _are_numbers(row)),
        },
    }
    shared = Several(dict.fromkeys(("file", "seen", "part", "kind"), _is_text))
    bins = Several({"confidence": _is_number, "accuracy": _is_number})
    curve = {
        "roc": dict.fromkeys(("false_positive_rate", "sensitivity"), _are_numbers),
        "pr": dict.fromkeys(("recall", "precision"), _are_numbers),
    }
    return {
        "version": _is_text,
        "weights_sha256": _is_text,
        "bootstrap": {"draws": _is_count, "seed": _is_count, "level": _is_number},
        "calibration": {"temperature": _is_number, "reason": Optional(_is_text)},
        "operating_points": {"rule": _is_text},
        "sets": Each(
            of_group
            | {
                "kind": ("train", "val", "test", "external").__contains__,
                "classes": dict.fromkeys(class_names, of_class),
                "curves": {name: Optional(curve) for name in class_names},
                "reliability": {"raw": bins, "calibrated": bins},
                "by_source": Each(of_group),
                "by_view": Each(of_group),
                "overlap": Optional({"near": shared, "patients": shared, "unread": _is_count}),
            }
        ),
    }


def audit_shape() -> dict[str, Any]:
    """Return the shape of an audit."""
    return {
        **dict.fromkeys(AUDITED, _is_audited),
        **dict.fromkeys(_AUDITED_OF_RUNS, Optional(_is_audited)),
        "verdict": _is_text,
        "classes": Several(_is_text),
        "split_sha256": _is_text,
    }


def facts_shape() -> dict[str, Any]:
    """Return the shape of what ``run.json`` tells."""
    kept = {"phase": _is_text, "epoch": _is_count, "val_accuracy": _is_number}
    return {**classes_shape(), "versions": Optional(Each(_is_text)), KEPT: Optional(kept)}


def _is_text(told: Any) -> bool:
    return isinstance(told, str)


def _is_number(told: Any) -> bool:
    return isinstance(told, (int, float)) and not isinstance(told, bool) and math.isfinite(told)


def _are_numbers(told: Any) -> bool:
    return isinstance(told, list) and all(map(_is_number, told))


def _is_count(told: Any) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and told >= 0


def _is_interval(told: Any) -> bool:
    return told is None or (_are_numbers(told) and len(told) == 2)


def _is_measured(told: Any) -> bool:
    if not isinstance(told, dict) or "value" not in told:
        return False
    value, interval = told["value"], told.get("interval")
    reasoned = _is_text(told.get("reason")) or None not in (value, interval)
    reasoned = reasoned and _is_text(told.get("remark", ""))
    return (value is None or _is_number(value)) and _is_interval(interval) and reasoned


def _is_point(told: Any) -> bool:
    if not isinstance(told, dict) or "threshold" not in told:
        return False
    if told["threshold"] is None:
        return _is_text(told.get("reason"))
    return _is_number(told["threshold"]) and all(_is_measured(told.get(n)) for n in POINT_METRICS)


def _is_audited(told: Any) -> bool:
    if not isinstance(told, dict) or not _is_text(told.get("classifier", "")):
        return False
    if not told.keys() >= {"accuracy", "balanced_accuracy", "interval", "balanced_interval"}:
        return False
    accuracy, balanced = told["accuracy"], told["balanced_accuracy"]
    if accuracy is None:
        return _is_text(told.get("reason"))
    fits = _is_number(accuracy) and (balanced is None or _is_number(balanced))
    return fits and _is_interval(told["interval"]) and _is_interval(told["balanced_interval"])
