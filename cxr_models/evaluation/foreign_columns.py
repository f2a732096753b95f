"""Conversion of the columns ``prob:CLASS`` and ``logit:CLASS`` of a third-party model's table.

The results are probabilities and logits. Every cell is checked, and an error names the first wrong
cell. Sums that are not 1 and probabilities of 0 are counted, so that callers can report them. This
module uses cells of text only; it uses neither files nor records.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models._counts import counted
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.predictions import SUM_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

# The logit of a probability of 0 is that of this number, or of a smaller one (see `_no_zeros`).
SMALLEST = float(np.finfo(np.float64).eps)
# A number outside 0..1, or a sum that is not 1, by at most this distance is not reported.
_ROUNDING = 1e-6
# Largest difference between a probability in the table and the softmax of the logits.
_SOFTMAX_TOLERANCE = 0.01
# labels of images whose class is unknown, in lower case
_NO_LABELS = frozenset(("nan", "null", "n/a", "#n/a", "<na>", "unknown", "?"))
_COLUMN = re.compile(r"\s*(prob|probability|logit)\s*:\s*(.*?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassColumns:
    """The positions of the class columns in a row of a table.

    A table may have only columns of probabilities or only columns of logits.

    Parameters
    ----------
    classes : tuple of str
        The classes that have columns, sorted.
    probabilities, logits : tuple of int
        Indices of the columns of probabilities and of logits, in the order of `classes`. Empty if
        the table has no columns of this kind.
    """

    classes: tuple[str, ...]
    probabilities: tuple[int, ...]
    logits: tuple[int, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """The indices of all class columns: first probabilities, then logits."""
        return (*self.probabilities, *self.logits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The probabilities and logits of N images for K classes, and what remarks count."""

    # (N, K); the numbers in the table, even if their sum is not 1, because a division could make
    # equal probabilities differ and move them across thresholds; with columns logit:, the softmax
    # or sigmoid of the logits
    probabilities: Floats
    logits: Floats  # (N, K)
    logits_given: bool = True  # False: the logits were computed from the probabilities
    off: int = 0  # number of images whose probabilities do not sum to 1
    zeros: int = 0  # number of probabilities of 0 (for findings, of 0 and 1) without given logits


def is_class_column(name: str) -> bool:
    """Return whether a column name begins with ``prob:``, ``probability:`` or ``logit:``."""
    return _COLUMN.fullmatch(name) is not None


def class_columns(header: Sequence[str], table: str) -> ClassColumns:
    """Find the class columns in a header.

    Parameters
    ----------
    header : sequence of str
        Names of the columns, without surrounding spaces. The case of the prefixes ``prob:``,
        ``probability:`` and ``logit:`` does not matter.
    table : str
        Name of the table in error messages.

    Raises
    ------
    ValueError
        If there is no class column, a name occurs twice, a class has two columns of one kind, or
        the columns of logits and of probabilities have different classes.
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
    """Convert the cells of the class columns to numbers, and check the numbers.

    Parameters
    ----------
    columns : ClassColumns
        The class columns.
    cells : sequence of sequence of str
        For each image, the cells at `columns.places`. Decimal commas are accepted.
    name_of : callable
        Function that returns the name of an image, by its row, for error messages.

    Returns
    -------
    Scores
        The numbers of all classes, in the order of `columns.classes`. With a single class, the
        result has two columns: first all other classes together, then the class.

    Raises
    ------
    ValueError
        If a probability is not a number from 0 to 1, a logit is not finite, the probabilities of
        an image do not sum to 1 within 0.02, or they differ from the softmax of its logits by more
        than 0.01.
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
    return Scores(
        probabilities=written,
        logits=np.log(_no_zeros(written)),
        logits_given=False,
        off=int((np.abs(written.sum(axis=1) - 1.0) > _ROUNDING).sum()),
        zeros=int((written == 0.0).sum()),
    )


def finding_scores_of(
    columns: ClassColumns, cells: Sequence[Sequence[str]], name_of: Callable[[int], str]
) -> Scores:
    """Convert the cells of findings to numbers, and check the numbers.

    Findings do not exclude each other, so probabilities need not sum to 1.

    Parameters
    ----------
    columns : ClassColumns
        The columns of the findings.
    cells : sequence of sequence of str
        For each image, the cells at `columns.places`. Decimal commas are accepted.
    name_of : callable
        Function that returns the name of an image, by its row, for error messages.

    Returns
    -------
    Scores
        The numbers of all findings, in the order of `columns.classes`.

    Raises
    ------
    ValueError
        If a probability is not a number from 0 to 1, a logit is not finite, or a probability
        differs from the sigmoid of its logit by more than 0.01.
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
    inner = np.minimum(_no_zeros(written), 1.0 - SMALLEST)
    return Scores(
        probabilities=written,
        logits=np.log(inner) - np.log1p(-inner),
        logits_given=False,
        zeros=int(np.isin(written, (0.0, 1.0)).sum()),
    )


def _no_zeros(probabilities: Floats) -> Floats:
    """Return probabilities with a number in place of 0 that is smaller than all others."""
    smallest = np.min(probabilities, initial=2.0 * SMALLEST, where=probabilities > 0.0)
    least = max(smallest / 2.0, np.finfo(np.float64).tiny)
    numbers: Floats = np.maximum(probabilities, least)
    return numbers


class _Checked:
    """Conversion of cells to checked numbers; error messages show the original cell."""

    def __init__(
        self, columns: ClassColumns, cells: Sequence[Sequence[str]], name_of: Callable[[int], str]
    ) -> None:
        self._columns, self._cells, self._name_of = columns, cells, name_of

    def numbers(self) -> tuple[Floats | None, Floats | None]:
        """Return probabilities (each 0..1) and finite logits; None for a kind without columns."""
        split = len(self._columns.probabilities)
        values = np.array([[_number(cell) for cell in row] for row in self._cells], np.float64)
        values = values.reshape(len(self._cells), len(self._columns.places))
        return (
            self._probabilities(values[:, :split]) if split else None,
            self._logits(values[:, split:]) if self._columns.logits else None,
        )

    def shares(self, values: Floats) -> Floats:
        """Return the probabilities of all classes, after a check that their sum is near 1."""
        if values.shape[1] == 1:
            return np.concatenate([1.0 - values, values], axis=1)
        off = np.abs(values.sum(axis=1) - 1.0) > SUM_TOLERANCE
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
                f"{self._where(wrong)}. {_cure(cell, values)}"
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
        """Raise ValueError if written probabilities differ from those of the logits."""
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
        """Return a text with the name of the first wrong image and the number of other ones."""
        rows = wrong.reshape(len(wrong), -1).any(axis=1)
        others = int(rows.sum()) - 1
        more = f" and {counted(others, 'other image')}" if others else ""
        return f" for {self._name_of(int(np.argmax(rows)))!r}{more}"


class Classes(NamedTuple):
    """The classes of the table of a third-party model."""

    names: tuple[str, ...]
    labels: tuple[str, ...]  # allowed labels of images: the classes, unless one class is `not X`
    order: tuple[int, ...]  # for each class, the index of its column in `Scores`


def classes_of(columns: Sequence[str], labels: Sequence[str], table: str) -> Classes:
    """Return the classes of a table, from its columns and labels.

    Parameters
    ----------
    columns : sequence of str
        The classes that have columns, sorted.
    labels : sequence of str
        The label of each image.
    table : str
        Name of the table in error messages.

    Returns
    -------
    Classes
        With a single column ``prob:X``, the other class is the only other label. If there are
        several other labels or there is no other label, the other class is ``not X``. With the
        columns ``prob:X`` and ``prob:not X``, all labels except X belong to ``not X``. Classes are
        sorted, except that X, the class of a single column, is the second class, and ``not X``
        comes before ``X``, as in runs of this package.

    Raises
    ------
    ValueError
        If a label has no column, no image has the label of the only column, or a label that would
        belong to ``not X`` is X in another spelling or means that the class is unknown.
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
        names = (others[0], positive)
        return Classes(names, names, (0, 1))
    for k, positive in enumerate(columns if len(columns) == 2 else ()):
        if _rest(positive) == columns[1 - k]:
            _check_rest(positive, counts, table)
            return Classes((_rest(positive), positive), known, (1 - k, k))
    unknown = [label for label in known if label not in columns]
    if unknown:
        rows = sum(counts[label] for label in unknown)
        raise ValueError(
            f"`label` must be a class that has a column, {_listed(columns)}; got "
            f"{_listed(unknown)} in {counted(rows, 'row')} of {table}. Add the "
            f"column prob:{unknown[0]}, write the label as the column is named, or leave the rows "
            "out."
        )
    return Classes(tuple(columns), tuple(columns), tuple(range(len(columns))))


def _check_rest(positive: str, counts: Mapping[str, int], table: str) -> None:
    """Raise ValueError if a label would count as ``not X`` but is X or means unknown."""
    for label, rows in sorted(counts.items()):
        word = label.strip().casefold()
        if label == positive or word not in (positive.strip().casefold(), *_NO_LABELS):
            continue
        rule = f"be spelled as the column prob:{positive} is named"
        cure = "Write it so"
        if word in _NO_LABELS:
            rule, cure = "name the class of every image", "Leave these rows out"
        raise ValueError(
            f"`label` must {rule}; got {label!r} in {counted(rows, 'row')} of "
            f"{table}, which would count as {_rest(positive)}. {cure}."
        )


def _rest(label: str) -> str:
    """Return the name of the class of all images outside a class, as in binary runs."""
    return f"not {label}"


def _number(cell: str) -> float:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return math.nan


def _cure(cell: str, values: Floats) -> str:
    """Return what to do about a cell that is no probability, given all numbers of its kind."""
    if cell.strip().endswith("%"):
        return "Divide percentages by 100, and leave out the sign."
    if math.isnan(_number(cell)):
        return "Leave out rows without a prediction."
    if np.nanmin(values) < -_ROUNDING or np.nanmax(values) > 100.0 + _ROUNDING:
        return "Logits belong in columns logit:CLASS."
    return "Divide percentages by 100; logits belong in columns logit:CLASS."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"
