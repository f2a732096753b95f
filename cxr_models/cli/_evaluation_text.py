"""Lines about an evaluation of classes for the terminal.

Test sets and external sets have all values; train and val have one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.cli._clinic_text import clinic_rows
from cxr_models.cli._seeds_text import seed_heading, seed_rows
from cxr_models.evaluation.bootstrap import FEW_PATIENTS
from cxr_models.evaluation.results import NOT_STATED, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxr_models.evaluation.comparisons import Comparison, Pooled, SeveralRuns
    from cxr_models.evaluation.findings_results import FindingsGroup
    from cxr_models.evaluation.results import (
        ClassValues,
        Evaluation,
        Group,
        Interval,
        Measured,
        OperatingPoint,
        SetEvaluation,
    )

_ONE = {many: one for one, many in UNITS.items()}
ROLES = {"train": "seen in training", "val": "used for choices"}


def evaluation_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines of one run's evaluation."""
    bootstrap, calibration = evaluation.bootstrap, evaluation.calibration
    yield (
        f"run {evaluation.run}; {bootstrap.level:.0%} intervals from {bootstrap.draws} "
        "draws of patients"
    )
    temperature = f"temperature {calibration.temperature:.3f}, fitted on val"
    if calibration.reason:
        temperature = f"no temperature fitted: {calibration.reason}"
    points = evaluation.operating_points
    chosen = "chosen on val" if points.chosen_on else "not chosen on validation"
    yield f"{temperature}; thresholds {chosen}: {points.rule}"
    if evaluation.aggregate is not None:
        yield f"a row is a {evaluation.aggregate.name}; all counts are of {evaluation.units}"
    for name, values in evaluation.sets.items():
        yield ""
        yield _heading(name, values, ROLES.get(values.kind, ""), evaluation.units)
        if values.kind in ROLES:
            yield f"  {_accuracies(values)}"
            continue
        yield from indented(_set_lines(values))
        for title, groups in (("source", values.by_source), ("view", values.by_view)):
            yield from indented(
                _group_lines(title, groups, evaluation.class_names, evaluation.units)
            )


def _set_lines(values: SetEvaluation) -> Iterator[str]:
    """Yield the overall values, tables of the values of each class, and the confusion matrix.

    The clinical values are the last table, if there are any.
    """
    yield _accuracies(values)
    overall = values.overall
    yield f"calibration error {value(overall.ece)}, calibrated {value(overall.ece_calibrated)}"
    points = [of_class.operating_point for of_class in values.classes.values()]
    yield from _class_lines(values, points)
    yield from table(clinic_rows(values.clinic or {}, value))


def _pooled_lines(pooled: Pooled) -> Iterator[str]:
    """Yield the values of pooled runs in the form of `_set_lines`, without operating points."""
    yield _accuracies(pooled)
    yield f"calibration error {value(pooled.overall.ece)}"
    yield from _class_lines(pooled, ())


def _accuracies(values: Group | Pooled) -> str:
    overall = values.overall
    return (
        f"accuracy {value(overall.accuracy)}, balanced accuracy {value(overall.balanced_accuracy)}"
    )


def _class_lines(values: Group | Pooled, points: Sequence[OperatingPoint]) -> Iterator[str]:
    classes: Mapping[str, ClassValues] = values.classes
    rows = [["", *classes]]
    for row in zip(*(of_class.titled() for of_class in classes.values()), strict=True):
        rows.append([row[0][0], *(value(measured) for _, measured in row)])
    if points:
        rows.append(["at threshold", *(_threshold(point) for point in points)])
        titles = ("sensitivity", "specificity", "precision")
        for title, *cells in zip(titles, *(point.values() for point in points), strict=True):
            rows.append([f"  {title}", *(value(cell) if cell else "-" for cell in cells)])
    yield from table(rows)
    counts = zip(classes, values.confusion.counts, strict=True)
    confusion = [[name, *map(str, row)] for name, row in counts]
    yield from table([["true, down; predicted, across", *classes], *confusion])
    yield from (
        f"{name}: {metric} undefined: {measured.reason}"
        for name, of_class in classes.items()
        for metric, measured in (
            ("recall", of_class.recall),
            ("precision", of_class.precision),
            ("roc_auc", of_class.roc_auc),
        )
        if measured.value is None
    )
    yield from _remarks(classes)


def _remarks(classes: Mapping[str, ClassValues]) -> Iterator[str]:
    """Yield lines on classes without an interval and on classes with few patients."""
    without, few = set(), set()
    for name, of_class in classes.items():
        for images, measured in (
            (name, of_class.recall),
            (f"others than {name}", of_class.specificity),
        ):
            if measured.remark:
                few.add(images)
            elif measured.value is not None and measured.interval is None:
                without.add(f"{images}: {measured.reason}")
    yield from (f"no interval for {images}" for images in sorted(without))
    if few:
        whose = ", ".join(sorted(few))
        yield f"fewer than {FEW_PATIENTS} patients, read intervals with care: {whose}"


def several_lines(several: SeveralRuns) -> Iterator[str]:
    """Yield the settings that differ between runs, then the lines of the comparisons and pools."""
    yield from differing_lines(several.differ)
    units = next((evaluation.units for evaluation in several.runs.values()), UNITS["image"])
    for pair in several.comparisons or ():
        yield from _comparison_lines(pair, units)
    if several.comparisons and any(_adjusted(pair) for pair in several.comparisons):
        yield "Holm p: adjusted for all tests of that kind on the set."
    yield from left_out_lines(several.left_out)
    for spread in several.seeds:
        yield ""
        yield seed_heading(spread)
        yield from indented(table(seed_rows(spread)))
    pooled = several.pooled
    if pooled is not None:
        rows = [["test sets of", units, "accuracy", "balanced accuracy"]]
        for name, run in pooled.runs.items():
            cells = (value(run.accuracy), value(run.balanced_accuracy))
            rows.append([name, str(run.images), *cells])
        yield ""
        yield from table(rows)
        yield _heading(f"pooled {pooled.of}" if pooled.of else "pooled", pooled, units=units)
        yield from indented(_pooled_lines(pooled))


def left_out_lines(left_out: Sequence[str]) -> Iterator[str]:
    """Yield an empty line and a line for each set on which runs are not compared."""
    if left_out:
        yield ""
    yield from left_out


def differing_lines(differ: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Yield a line for each setting in which runs differ."""
    for name, values in differ.items():
        yield f"{name}: {', '.join(f'{run} {setting}' for run, setting in values.items())}"


def _adjusted(pair: Comparison) -> bool:
    tested = [pair.mcnemar.p_holm, *(area.p_holm for area in pair.roc_auc.values())]
    return any(p is not None for p in tested)


def _comparison_lines(pair: Comparison, units: str) -> Iterator[str]:
    yield ""
    yield f"{pair.first} minus {pair.second} on {pair.set}, {pair.images} {units}"
    mcnemar = pair.mcnemar
    yield (
        f"  accuracy {value(pair.accuracy, sign=True)}; McNemar p "
        f"{_tested(mcnemar.p_value, mcnemar.p_holm)} ({mcnemar.only_first} right in the first "
        f"alone, {mcnemar.only_second} in the second alone)"
    )
    for name, test in pair.roc_auc.items():
        difference = number(test.difference, test.interval, sign=True)
        p = test.reason
        if test.p_value is not None:
            p = f"DeLong p {_tested(test.p_value, test.p_holm)}"
        yield f"  ROC-AUC of {name} {difference}; {p}"


def value(measured: Measured, *, sign: bool = False) -> str:
    """Format a value and its interval with three decimals; an undefined value is ``-``.

    With `sign`, all numbers have a sign.
    """
    return number(measured.value, measured.interval, sign=sign)


def number(shown: float | None, interval: Interval | None, *, sign: bool) -> str:
    """Format a number and its interval with three decimals; None is ``-``.

    With `sign`, all numbers have a sign. A number without an interval is followed by
    ``[no interval]``.
    """
    if shown is None:
        return "-"
    places = "+.3f" if sign else ".3f"
    if interval is None:
        return f"{shown:{places}} [no interval]"
    return f"{shown:{places}} [{interval[0]:{places}}, {interval[1]:{places}}]"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; its first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        yield "  ".join(cells).rstrip()


def _heading(name: str, values: Group | Pooled, role: str = "", units: str = "images") -> str:
    labels = ", ".join(f"{label} {count}" for label, count in values.labels.items())
    return f"{name}: {counted_rows(values, units)} ({labels}){': ' + role if role else ''}"


def counted_rows(values: Group | Pooled | FindingsGroup, units: str) -> str:
    """Return a text with the numbers of rows, of the images joined into them, and of patients.

    The number of patients is left out if each row is a patient.
    """
    joined = getattr(values, "joined_images", None)
    counts = _counted(values.images, units)
    if joined:
        counts += f" from {_counted(joined, UNITS['image'])}"
    if units == UNITS["patient"]:
        return counts
    return f"{counts} of {_counted(values.patients, UNITS['patient'])}"


def _counted(count: int, units: str) -> str:
    return f"{count} {units if count != 1 else _ONE[units]}"


def _group_lines(
    title: str, groups: Mapping[str, Group], class_names: Sequence[str], units: str
) -> Iterator[str]:
    if len(groups) < 2 and NOT_STATED in groups:
        return
    rows = [[title, units, "accuracy", *(f"predicted {name}" for name in class_names)]]
    for name, group in groups.items():
        predicted = map(str, group.confusion.predicted())
        cells = (str(group.images), value(group.overall.accuracy), *predicted)
        rows.append([f"{name} ({', '.join(group.labels)})", *cells])
    yield from table(rows)


def _threshold(point: OperatingPoint) -> str:
    return "-" if point.threshold is None else f"{point.threshold:.3f}"


def p_value(p: float) -> str:
    """Format a p-value with three decimals; below 0.001, in scientific notation."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _tested(p: float, p_holm: float | None) -> str:
    """Format a p-value and, unless it is None, the p-value adjusted by Holm's method."""
    return p_value(p) if p_holm is None else f"{p_value(p)}, Holm p {p_value(p_holm)}"


def indented(lines: Iterator[str]) -> Iterator[str]:
    """Return the lines indented by two spaces."""
    return (f"  {line}" for line in lines)
