"""Tables of the values of a run's sets."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.report.blocks import Block, Table, Text
from cxr_models.report.formatting import NONE, listed, number, short_name, value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cxr_models.evaluation.findings_results import FindingsSet
    from cxr_models.evaluation.results import ClassValues, Confusion, Measured, SetEvaluation
    from cxr_models.report.read.results import Results

_ROLES = {
    "train": "seen in training",
    "val": "used for choices",
    "test": "the test set",
    "external": "another source",
}
_MAX_SHARED_ROWS = 10


def overall(run: Results) -> list[Block]:
    """Return a table of the overall values of every set, and a text on their intervals."""
    sets = run.evaluation.sets
    columns = {name: values.overall.titled() for name, values in sets.items()}
    rows = [
        ("role", *(_ROLES[values.kind] for values in sets.values())),
        (run.evaluation.units, *(f"{values.images:,}" for values in sets.values())),
        *joined_images(sets),
        *(
            [("patients", *(f"{values.patients:,}" for values in sets.values()))]
            if run.evaluation.unit != "patient"
            else []
        ),
        *(
            (row[0][0], *(value(measured) for _, measured in row))
            for row in zip(*columns.values(), strict=True)
        ),
    ]
    notes = [
        _note(f"{name}, {title}", measured)
        for name, column in columns.items()
        for title, measured in column
    ]
    joined = run.evaluation.aggregate
    of_rows = (
        "" if joined is None else f" Every value is of rows, of which each is a {joined.name}."
    )
    method, calibration = run.evaluation.bootstrap, run.evaluation.calibration
    fitted = f"temperature {calibration.temperature:.3f}, fitted on validation"
    if calibration.reason:
        fitted = f"no temperature could be fitted: {calibration.reason}"
    return [
        Text(
            text=f"{100 * method.level:g} % intervals from {method.draws:,} draws of "
            f"patients (seed {method.seed}); {fitted}.{of_rows}"
        ),
        Table(
            caption="Overall values of every set",
            head=("value", *sets),
            rows=tuple(rows),
            notes=_joined(notes),
        ),
    ]


def joined_images(sets: Mapping[str, SetEvaluation | FindingsSet]) -> list[tuple[str, ...]]:
    """Return a list with one row: the number of joined images of each set.

    The list is empty if the rows of any set are images.
    """
    counts = [values.joined_images for values in sets.values()]
    if None in counts:
        return []
    return [("images joined", *(f"{count:,}" for count in counts))]


def one_image_note(unit: str) -> Text:
    """Return the note that one image of each patient or study is shown."""
    text = f"Of each {unit} one image stands below, that whose name comes first."
    return Text(text=text, tone="note")


def of_classes(run: Results, values: SetEvaluation) -> list[Block]:
    """Return tables of the values of each class, the operating points and the confusion matrix."""
    points = {name: of_class.operating_point for name, of_class in values.classes.items()}
    rule = run.evaluation.operating_points.rule
    chosen_on = run.evaluation.operating_points.chosen_on
    table = class_table("Each class against the rest", values.classes, run.evaluation.units)
    notes = _joined(
        _note(f"{title} of {name}", measured)
        for name, of_class in values.classes.items()
        for title, measured in of_class.titled()
    )
    return [
        dataclasses.replace(table, notes=notes),
        Table(
            caption="At the operating point of each class",
            head=("class", "threshold", "sensitivity", "specificity", "precision"),
            rows=tuple(
                (
                    name,
                    number(point.threshold),
                    *(value(measured) if measured else NONE for measured in point.values()),
                )
                for name, point in points.items()
            ),
            notes=_joined(
                [
                    f"{'Chosen' if chosen_on else 'Not chosen'} on validation: {rule}.",
                    *(f"{name}: {p.reason}." for name, p in points.items() if p.reason),
                ]
            ),
        ),
        confusion(values.confusion, run.class_names, run.evaluation.units),
    ]


def class_table(caption: str, classes: Mapping[str, ClassValues], units: str = "images") -> Table:
    """Return a table of the values of each class."""
    titles = (title for of_class in list(classes.values())[:1] for title, _ in of_class.titled())
    return Table(
        caption=caption,
        head=("class", units, *titles),
        rows=tuple(
            (name, f"{of_class.images:,}", *(value(measured) for _, measured in of_class.titled()))
            for name, of_class in classes.items()
        ),
    )


def confusion(confusion: Confusion, classes: Sequence[str], units: str = "images") -> Table:
    """Return the confusion matrix of a set as a table of counts and shares of each row."""
    shares = [row or (None,) * len(classes) for row in confusion.normalised]
    return Table(
        caption=f"Confusion: {units} (share of the true class)",
        head=("true, down; predicted, across", *classes),
        rows=tuple(
            (name, *(f"{n:,} ({number(share)})" for n, share in zip(counts, row, strict=True)))
            for name, counts, row in zip(classes, confusion.counts, shares, strict=True)
        ),
        shades=tuple(shares),
    )


def groups(values: SetEvaluation, classes: Sequence[str], units: str = "images") -> list[Block]:
    """Return tables of the values of a set by source and by view."""
    blocks: list[Block] = []
    for title, by in (("source", values.by_source), ("view", values.by_view)):
        rows, notes = [], []
        for name, group in by.items():
            labels = ", ".join(f"{label} {count}" for label, count in group.labels.items())
            accuracy, balanced = group.overall.accuracy, group.overall.balanced_accuracy
            predicted = (f"{count:,}" for count in group.confusion.predicted())
            patients = f"{group.patients:,}"
            rows.append((name, labels, patients, value(accuracy), value(balanced), *predicted))
            notes.append(_note(f"{name}, accuracy", accuracy))
            notes.append(_note(f"{name}, balanced accuracy", balanced))
        blocks.append(
            Table(
                caption=f"By {title}",
                head=(
                    title,
                    f"{units} by label",
                    "patients",
                    "accuracy",
                    "balanced accuracy",
                    *(f"predicted {name}" for name in classes),
                ),
                rows=tuple(rows),
                notes=_joined(notes),
            )
        )
    return blocks


def shared(values: SetEvaluation | FindingsSet) -> list[Block]:
    """Return sentences and a table on the ties of a set's images to images that the run has seen.

    The list is empty without ties, unless some images could not be read and compared. The table has
    at most 10 rows.
    """
    overlap = values.overlap
    if overlap is None:
        return []
    ties = [*overlap.near, *overlap.patients]
    blocks: list[Block] = [
        Text(text=f"{sentence}.", tone="note") for sentence in shared_sentences(values)
    ]
    if overlap.unread:
        text = f"{counted(overlap.unread, 'image')} could not be read and were not compared."
        blocks.append(Text(text=text, tone="note"))
    if ties:
        more = len(ties) - _MAX_SHARED_ROWS
        blocks.append(
            Table(
                caption="Images tied to images that the run has seen",
                head=("image", "tie", "seen image"),
                rows=tuple(
                    (short_name(tie.file), tie.kind, short_name(tie.seen))
                    for tie in ties[:_MAX_SHARED_ROWS]
                ),
                notes=(f"And {more:,} more, in evaluation.json.",) if more > 0 else (),
                words=True,
            )
        )
    return blocks


def shared_sentences(values: SetEvaluation | FindingsSet) -> list[str]:
    """Return sentences on the near copies of seen images, and on images of seen patients."""
    if values.overlap is None:
        return []
    sentences = []
    for ties, singular, plural in (
        (
            values.overlap.near,
            "is a near copy of an image that the run has seen",
            "are near copies of images that the run has seen",
        ),
        (
            values.overlap.patients,
            "is of a patient whom the run has seen, by source and id",
            "are of patients whom the run has seen, by source and id",
        ),
    ):
        if ties:
            verb = singular if len(ties) == 1 else plural
            images = getattr(values, "joined_images", None) or values.images
            sentences.append(f"{counted(len(ties), 'image')} of {images:,} {verb}")
    return sentences


def heading(name: str, values: SetEvaluation | FindingsSet, unit: str = "image") -> str:
    """Return the heading of a set."""
    return f"{name}: {_ROLES[values.kind]}, {counted(values.images, unit)}"


def _note(name: str, measured: Measured) -> str:
    if measured.value is None:
        return f"{name}: undefined, {measured.reason}."
    if measured.interval is None:
        return f"{name}: no interval, {measured.reason}."
    return f"{name}: read with care, {measured.remark}." if measured.remark else ""


def _joined(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(note for note in notes if note)


def _merged(name: str, titled: Iterable[tuple[str, Measured]]) -> list[str]:
    """Return one note for all values that share it: `name`, their titles, and what to know."""
    titles: dict[str, list[str]] = {}
    for title, measured in titled:
        text = _note("", measured)
        if text:
            titles.setdefault(text, []).append(title)
    return [
        f"{name}{'; '.join(names) if ',' in ''.join(names) else listed(names)}{text}"
        for text, names in titles.items()
    ]
