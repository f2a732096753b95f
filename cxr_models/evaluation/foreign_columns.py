"""Columns ``prob:CLASS`` and ``logit:CLASS`` of a CSV of others, to probabilities and logits.

Knows cells alone, neither files nor records. Every cell is checked; a sentence names the first that
is wrong. What is changed (sums, zeros) is counted, so that callers can state it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

SMALLEST = float(np.finfo(np.float64).eps)  # in place of a probability of 0, which has no logarithm
_SUM_TOLERANCE = 0.02  # of the sum of an image's probabilities: two decimals of four classes
_ROUNDING = 1e-6  # by which a number may miss 0..1, or a sum 1, with nothing to state
_SOFTMAX_TOLERANCE = 0.01  # between a probability as written and the softmax of the logits
# labels of images whose class is not known, in small letters
_NO_LABELS = frozenset(("nan", "null", "n/a", "#n/a", "<na>", "unknown", "?"))
_COLUMN = re.compile(r"\s*(prob|probability|logit)\s*:\s*(.*?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassColumns:
    """Where the numbers of each class stand in a row; columns of one kind may be missing.

    Parameters
    ----------
    classes : tuple of str
        The classes that have columns, sorted.
    probabilities, logits : tuple of int
        The places of their columns, in the order of `classes`, or empty.
    """

    classes: tuple[str, ...]
    probabilities: tuple[int, ...]
    logits: tuple[int, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """The places of all columns."""
        return (*self.probabilities, *self.logits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The numbers of N images for K classes, and how many cells were not used as written."""

    # (N, K); those that were written, bit by bit, or what the columns logit: give: rounding would
    # part equal probabilities and move them over thresholds
    probabilities: Floats
    logits: Floats  # (N, K)
    rescaled: int = 0  # images whose probabilities did not sum to 1 and were divided by their sum
    zeros: int = 0  # probabilities of 0, which count as `SMALLEST`


def is_class_column(name: str) -> bool:
    """Return whether a column's name begins as those of probabilities or logits do."""
    return _COLUMN.fullmatch(name) is not None


def class_columns(header: Sequence[str], table: str) -> ClassColumns:
    """Find the columns of classes in a header.

    Parameters
    ----------
    header : sequence of str
        Names of columns, without spaces around them; ``prob:``, ``probability:`` and ``logit:`` may
        be in capitals.
    table : str
        Name of the table in sentences.

    Raises
    ------
    ValueError
        If there is no such column, a name occurs twice, a class has two columns of one kind, or
        classes with logits are not those with probabilities.
    """
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise ValueError(
            f"`{table}` must name each column once, spaces around names aside; got "
            f"{', '.join(map(repr, twice))} twice."
        )
    places: dict[str, dict[str, int]] = {"prob": {}, "logit": {}}
    for place, name in enumerate(header):
        match = _COLUMN.fullmatch(name)
        if match is None:
            continue
        kind, label = match[1].lower().removesuffix("ability"), match[2]
        if not label or label in places[kind]:
            rule = "name a class" if not label else "be there once for each class"
            raise ValueError(f"`{match[1]}:` must {rule}; got {name!r} in {table}.")
        places[kind][label] = place
    probabilities, logits = places["prob"], places["logit"]
    if not (probabilities or logits):
        raise ValueError(
            f"`{table}` must have a column prob:CLASS for each class; got "
            f"{', '.join(header) or 'no columns'}."
        )
    if probabilities and logits and probabilities.keys() != logits.keys():
        raise ValueError(
            f"`logit:` must be given for the classes of prob:, {', '.join(sorted(probabilities))}; "
            f"got {', '.join(sorted(logits))} in {table}. Leave the columns logit: out, or add the "
            "missing ones."
        )
    classes = tuple(sorted(probabilities or logits))
    return ClassColumns(
        classes=classes,
        probabilities=tuple(probabilities[label] for label in classes if probabilities),
        logits=tuple(logits[label] for label in classes if logits),
    )


def scores_of(
    columns: ClassColumns, cells: Sequence[Sequence[str]], name_of: Callable[[int], str]
) -> Scores:
    """Convert the cells of the class columns to numbers, and check them.

    Parameters
    ----------
    columns : ClassColumns
        The columns; of a single class, the first column of the result is that of the rest.
    cells : sequence of sequence of str
        For each image the cells at `columns.places`; decimal commas are read too.
    name_of : callable
        Returns the name of an image in sentences.

    Returns
    -------
    Scores
        In the order of `columns.classes`.

    Raises
    ------
    ValueError
        If a probability is no number from 0 to 1, a logit is not finite, the probabilities of an
        image do not sum to 1 within 0.02, or are not the softmax of its logits within 0.01.
    """
    checked = _Checked(columns, cells, name_of)
    written, logits = checked.numbers()
    if written is not None:
        written = checked.shares(written)
    if logits is not None:
        if len(columns.classes) == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        probabilities = softmax(logits)
        if written is not None:
            checked.agree(written, probabilities, "softmax")
        return Scores(probabilities=probabilities, logits=logits)
    if written is None:
        raise ValueError("`columns` must hold places of probabilities or logits; got neither.")
    sums = written.sum(axis=1, keepdims=True)
    off = np.abs(sums - 1.0) > _ROUNDING
    probabilities = np.maximum(np.where(off, written / sums, written), SMALLEST)
    return Scores(
        probabilities=probabilities,
        logits=np.log(probabilities),
        rescaled=int(off.sum()),
        zeros=int((written < SMALLEST).sum()),
    )


def finding_scores_of(
    columns: ClassColumns, cells: Sequence[Sequence[str]], name_of: Callable[[int], str]
) -> Scores:
    """Convert the cells of findings, which do not exclude each other, to numbers.

    Parameters
    ----------
    columns, cells, name_of
        As of `scores_of`.

    Returns
    -------
    Scores
        `zeros` counts probabilities of 0 and of 1.

    Raises
    ------
    ValueError
        As `scores_of`, but that probabilities need not sum to 1.
    """
    checked = _Checked(columns, cells, name_of)
    written, logits = checked.numbers()
    if logits is not None:
        probabilities = sigmoid(logits)
        if written is not None:
            checked.agree(written, probabilities, "sigmoid")
        return Scores(probabilities=probabilities, logits=logits)
    if written is None:
        raise ValueError("`columns` must hold places of probabilities or logits; got neither.")
    inner = np.clip(written, SMALLEST, 1.0 - SMALLEST)
    logits = np.log(inner) - np.log1p(-inner)
    return Scores(probabilities=inner, logits=logits, zeros=int((inner != written).sum()))


class _Checked:
    """Checks numbers; sentences show the cell that was written."""

    def __init__(
        self, columns: ClassColumns, cells: Sequence[Sequence[str]], name_of: Callable[[int], str]
    ) -> None:
        self._columns, self._cells, self._name_of = columns, cells, name_of

    def numbers(self) -> tuple[Floats | None, Floats | None]:
        """Return probabilities, each 0..1, and finite logits; None for what has no columns."""
        split = len(self._columns.probabilities)
        values = np.array([[_number(cell) for cell in row] for row in self._cells], np.float64)
        values = values.reshape(len(self._cells), len(self._columns.places))
        return (
            self._probabilities(values[:, :split]) if split else None,
            self._logits(values[:, split:]) if self._columns.logits else None,
        )

    def shares(self, values: Floats) -> Floats:
        """Return probabilities of all classes, whose sum is near 1."""
        if values.shape[1] == 1:
            return np.concatenate([1.0 - values, values], axis=1)
        off = np.abs(values.sum(axis=1) - 1.0) > _SUM_TOLERANCE
        if off.any():
            total = values[np.argmax(off)].sum()
            raise ValueError(
                f"`prob:` must sum to 1 over the classes {', '.join(self._columns.classes)}; got "
                f"{total:.4g}{self._where(off)}. Add the columns of missing classes; findings that "
                "do not exclude each other need columns finding:NAME in place of label."
            )
        return values

    def _probabilities(self, values: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            wrong = ~((values >= -_ROUNDING) & (values <= 1.0 + _ROUNDING))
        if wrong.any():
            image, column = map(int, np.argwhere(wrong)[0])
            cell = self._cells[image][column]
            raise ValueError(
                f"`prob:{self._columns.classes[column]}` must be a number from 0 to 1; got {cell!r}"
                f"{self._where(wrong)}. {_cure(cell)}"
            )
        return np.clip(values, 0.0, 1.0)

    def _logits(self, values: Floats) -> Floats:
        wrong = ~np.isfinite(values)
        if wrong.any():
            image, column = map(int, np.argwhere(wrong)[0])
            cell = self._cells[image][len(self._columns.probabilities) + column]
            raise ValueError(
                f"`logit:{self._columns.classes[column]}` must be a finite number; got {cell!r}"
                f"{self._where(wrong)}. Leave out rows without a prediction."
            )
        return values

    def agree(self, written: Floats, probabilities: Floats, link: str) -> None:
        """Raise unless the probabilities are the softmax or the sigmoid of the logits."""
        differences = np.abs(written - probabilities)
        off = differences.max(axis=1) > _SOFTMAX_TOLERANCE
        if off.any():
            image = int(np.argmax(off))
            k = int(differences[image].argmax())
            raise ValueError(
                f"`prob:` must be the {link} of the columns logit:; got {written[image, k]:.4g} "
                f"where the logits give {probabilities[image, k]:.4g}{self._where(off)}. Leave the "
                "columns logit: out, or write the logits that the probabilities were made of."
            )

    def _where(self, wrong: Bools) -> str:
        """Name the first image with a wrong cell, or a wrong row, and count the others."""
        rows = wrong.reshape(len(wrong), -1).any(axis=1)
        others = int(rows.sum()) - 1
        more = f" and {others:,} other {'image' if others == 1 else 'images'}" if others else ""
        return f" for {self._name_of(int(np.argmax(rows)))!r}{more}"


class Classes(NamedTuple):
    """The classes of a table of others."""

    names: tuple[str, ...]
    labels: tuple[str, ...]  # those that images may have: the classes, unless one is `not X`
    order: tuple[int, ...]  # for each class, the column of `Scores` that holds it


def classes_of(columns: Sequence[str], labels: Sequence[str], table: str) -> Classes:
    """Name the classes that the columns and the labels of a table make.

    Parameters
    ----------
    columns : sequence of str
        The classes that have columns, sorted.
    labels : sequence of str
        The label of each image.
    table : str
        Name of the table in sentences.

    Returns
    -------
    Classes
        Of a single column ``prob:X``, the second class is the only other label or, with several
        other labels, ``not X``. Columns ``prob:X`` and ``prob:not X`` allow other labels, which are
        ``not X``. Classes are sorted, but that ``not X`` comes before ``X``, as in runs.

    Raises
    ------
    ValueError
        If a label has no column, no image has the label of the only column, or a label that would
        count as ``not X`` is X in another spelling, or says that the class is unknown.
    """
    counts = Counter(labels)
    known = tuple(sorted(counts))
    if len(columns) == 1:
        (positive,) = columns
        if positive not in counts:
            raise ValueError(
                f"`label` must be {positive!r}, the class of the only column prob:{positive}, in "
                f"at least one row; got {_listed(known)} in {table}. Name the column after the "
                "label whose probability it holds."
            )
        _check_rest(positive, counts, table)
        others = [label for label in known if label != positive]
        if len(others) != 1 or others[0] == _rest(positive):
            return Classes((_rest(positive), positive), known, (0, 1))
        names = tuple(sorted((others[0], positive)))
        return Classes(names, names, (0, 1) if names[1] == positive else (1, 0))
    for k, positive in enumerate(columns if len(columns) == 2 else ()):
        if _rest(positive) == columns[1 - k]:
            _check_rest(positive, counts, table)
            return Classes((_rest(positive), positive), known, (1 - k, k))
    unknown = [label for label in known if label not in columns]
    if unknown:
        rows = sum(counts[label] for label in unknown)
        raise ValueError(
            f"`label` must be a class that has a column, {_listed(columns)}; got "
            f"{_listed(unknown)} in {rows:,} {'row' if rows == 1 else 'rows'} of {table}. Add the "
            f"column prob:{unknown[0]}, write the label as the column is named, or leave the rows "
            "out."
        )
    return Classes(tuple(columns), tuple(columns), tuple(range(len(columns))))


def _check_rest(positive: str, counts: Mapping[str, int], table: str) -> None:
    """Raise if a label counts as that of another class and is not one."""
    for label, rows in sorted(counts.items()):
        word = label.strip().casefold()
        if label == positive or word not in (positive.strip().casefold(), *_NO_LABELS):
            continue
        rule = f"be spelled as the column prob:{positive} is named"
        cure = "Write it so"
        if word in _NO_LABELS:
            rule, cure = "name the class of every image", "Leave these rows out"
        raise ValueError(
            f"`label` must {rule}; got {label!r} in {rows:,} {'row' if rows == 1 else 'rows'} of "
            f"{table}, which would count as {_rest(positive)}. {cure}."
        )


def _rest(label: str) -> str:
    """Return the name of the class of all images that are not of a class, as in binary runs."""
    return f"not {label}"


def _number(cell: str) -> float:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return math.nan


def _cure(cell: str) -> str:
    number = _number(cell.strip().removesuffix("%"))
    if cell.strip().endswith("%") or 1.0 < number <= 100.0:
        return "Divide percentages by 100."
    if number < 0.0 or number > 100.0:
        return "Logits belong in columns logit:CLASS."
    return "Leave out rows without a prediction."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"
