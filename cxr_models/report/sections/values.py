"""The values of a run's sets as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxr_models.report.blocks import Block, Table, Text
from cxr_models.report.formatting import NONE, counted, number, short_name, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.report.read.results import Results

_ROLES = {
    "train": "seen in training",
    "val": "used for choices",
    "test": "the test set",
    "external": "another source",
}
_OVERALL = (
    ("accuracy", "accuracy"),
    ("balanced accuracy", "balanced_accuracy"),
    ("macro F1", "macro_f1"),
    ("macro ROC-AUC", "macro_roc_auc"),
    ("log loss", "log_loss"),
    ("log loss, calibrated", "log_loss_calibrated"),
    ("calibration error", "ece"),
    ("calibration error, calibrated", "ece_calibrated"),
)
CLASS_COLUMNS = (
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("specificity", "specificity"),
    ("ROC-AUC", "roc_auc"),
    ("PR-AUC", "pr_auc"),
)
_MOST_SHARED = 10  # rows
_AT_POINT = ("sensitivity", "specificity", "precision")


def overall(run: Results) -> list[Block]:
    """Show every set's overall values side by side, and how intervals were made."""
    sets = run.evaluation["sets"]
    rows = [
        ("role", *(_ROLES[told["kind"]] for told in sets.values())),
        ("images", *(f"{told['images']:,}" for told in sets.values())),
        ("patients", *(f"{told['patients']:,}" for told in sets.values())),
        *(
            (title, *(value(told["overall"][key]) for told in sets.values()))
            for title, key in _OVERALL
        ),
    ]
    notes = [
        _no_interval(f"{name}, {title}", told["overall"][key])
        for name, told in sets.items()
        for title, key in _OVERALL
    ]
    method, calibration = run.evaluation["bootstrap"], run.evaluation["calibration"]
    fitted = f"temperature {calibration['temperature']:.3f}, fitted on validation"
    if "reason" in calibration:
        fitted = f"no temperature could be fitted: {calibration['reason']}"
    return [
        Text(
            text=f"{100 * method['level']:g} % intervals from {method['draws']:,} draws of "
            f"patients (seed {method['seed']}); {fitted}."
        ),
        Table(
            caption="Overall values of every set",
            head=("value", *sets),
            rows=tuple(rows),
            notes=_joined(notes),
        ),
    ]


def of_classes(run: Results, told: dict[str, Any]) -> list[Block]:
    """Show the values of each class of a set, its operating points, and both confusions."""
    classes = told["classes"]
    points = {name: one["operating_point"] for name, one in classes.items()}
    rule = run.evaluation["operating_points"]["rule"]
    return [
        Table(
            caption="Each class against the rest",
            head=("class", "images", *(title for title, _ in CLASS_COLUMNS)),
            rows=tuple(
                (name, f"{one['images']:,}", *(value(one[key]) for _, key in CLASS_COLUMNS))
                for name, one in classes.items()
            ),
            notes=_joined(
                _no_interval(f"{title} of {name}", one[key])
                for name, one in classes.items()
                for title, key in CLASS_COLUMNS
            ),
        ),
        Table(
            caption="At the operating point of each class",
            head=("class", "threshold", *_AT_POINT),
            rows=tuple(
                (
                    name,
                    number(point["threshold"]),
                    *(value(point[key]) if key in point else NONE for key in _AT_POINT),
                )
                for name, point in points.items()
            ),
            notes=_joined(
                [
                    f"Chosen on validation: {rule}.",
                    *(f"{n}: {p['reason']}." for n, p in points.items() if "reason" in p),
                ]
            ),
        ),
        confusion(told, run.class_names),
    ]


def confusion(told: dict[str, Any], classes: Sequence[str]) -> Table:
    """Show the confusion of a set, in counts and divided by rows."""
    shares = told["confusion"]["normalised"]
    rows = zip(classes, told["confusion"]["counts"], shares, strict=True)
    return Table(
        caption="Confusion: images (share of the true class)",
        head=("true, down; said, across", *classes),
        rows=tuple(
            (name, *(f"{n:,} ({number(share)})" for n, share in zip(counts, divided, strict=True)))
            for name, counts, divided in (
                (name, counts, divided or [None] * len(classes)) for name, counts, divided in rows
            )
        ),
        shades=tuple(tuple(row or [None] * len(classes)) for row in shares),
    )


def groups(told: dict[str, Any], classes: Sequence[str]) -> list[Block]:
    """Show a set by source and by view."""
    blocks: list[Block] = []
    for title, key in (("source", "by_source"), ("view", "by_view")):
        rows = []
        for name, one in told[key].items():
            said = [sum(column) for column in zip(*one["confusion"]["counts"], strict=True)]
            labels = ", ".join(f"{label} {count}" for label, count in one["labels"].items())
            measured = (value(one["overall"][n]) for n in ("accuracy", "balanced_accuracy"))
            cells = (labels, f"{one['patients']:,}", *measured, *(f"{count:,}" for count in said))
            rows.append((name, *cells))
        blocks.append(
            Table(
                caption=f"By {title}",
                head=(
                    title,
                    "images by label",
                    "patients",
                    "accuracy",
                    "balanced accuracy",
                    *(f"said {name}" for name in classes),
                ),
                rows=tuple(rows),
                notes=_joined(
                    _no_interval(f"{name}, {n.replace('_', ' ')}", one["overall"][n])
                    for name, one in told[key].items()
                    for n in ("accuracy", "balanced_accuracy")
                ),
            )
        )
    return blocks


def shared(told: dict[str, Any]) -> list[Block]:
    """List what a set shares with images that the run has seen; nothing where it shares none."""
    overlap = told.get("overlap")
    if overlap is None or not any(overlap.values()):
        return []
    kinds = [*overlap["near"], *overlap["patients"]]
    blocks: list[Block] = [
        Text(text=f"{sentence}.", tone="note") for sentence in shared_sentences(told)
    ]
    if overlap["unread"]:
        text = f"{counted(overlap['unread'], 'image')} could not be read and were not compared."
        blocks.append(Text(text=text, tone="note"))
    if kinds:
        more = len(kinds) - _MOST_SHARED
        blocks.append(
            Table(
                caption="Shared with what the run has seen",
                head=("image", "what is shared", "seen"),
                rows=tuple(
                    (short_name(one["file"]), one["kind"], short_name(one["seen"]))
                    for one in kinds[:_MOST_SHARED]
                ),
                notes=(f"And {more:,} more, in evaluation.json.",) if more > 0 else (),
                words=True,
            )
        )
    return blocks


def shared_sentences(told: dict[str, Any]) -> list[str]:
    """Say how many images of a set are near copies of seen ones, and how many of seen patients."""
    overlap = told.get("overlap", {})
    sentences = []
    for key, of_one, of_several in (
        (
            "near",
            "is a near copy of an image that the run has seen",
            "are near copies of images that the run has seen",
        ),
        (
            "patients",
            "is of a patient whom the run has seen, by source and id",
            "are of patients whom the run has seen, by source and id",
        ),
    ):
        count = len(overlap.get(key, ()))
        if count:
            what = of_one if count == 1 else of_several
            sentences.append(f"{counted(count, 'image')} of {told['images']:,} {what}")
    return sentences


def heading(name: str, told: dict[str, Any]) -> str:
    """Return the heading of a set."""
    return f"{name}: {_ROLES[told['kind']]}, {counted(told['images'], 'image')}"


def _no_interval(what: str, told: dict[str, Any]) -> str:
    if told["value"] is None:
        return f"{what}: undefined, {told['reason']}."
    if told["interval"] is None:
        return f"{what}: no interval, {told['reason']}."
    return f"{what}: read with care, {told['remark']}." if "remark" in told else ""


def _joined(notes: Any) -> tuple[str, ...]:
    return tuple(note for note in notes if note)
