"""Section on the clinical values of a run on one set: tables and decision curves.

Clinical values are predictive values, likelihood ratios, Matthews correlation, calibration, and
sensitivity at stated specificities.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from cxr_models.report.blocks import Block, Chart, Charts, Line, Section, Table, Text
from cxr_models.report.formatting import NONE, listed, number, value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cxr_models.evaluation.clinic_results import ClinicValues, DecisionCurve
    from cxr_models.evaluation.measured import Measured

_CHOSEN = (
    "Each class is compared with all others, by calibrated probabilities and the thresholds that "
    "were chosen on validation."
)
_GIVEN = (
    "Each class is compared with all others, by probabilities that are not calibrated and a "
    "threshold that was not chosen on validation."
)
_FINDINGS_CHOSEN = (
    "Each finding is compared with its absence, where its label is known, by "
    "calibrated probabilities and the thresholds that were chosen on validation."
)
_FINDINGS_GIVEN = (
    "Each finding is compared with its absence, where its label is known, by "
    "probabilities that are not calibrated and a threshold that was not chosen on validation."
)
_SHARE = (
    "Predictive values hold where the class is as common as stated; the share of a class in a "
    "collected set is seldom its share in a clinic."
)


def clinic_section(
    name: str, clinic: Mapping[str, ClinicValues] | None, *, chosen: bool = True
) -> list[Section]:
    """Return a list of the section on a set with classes.

    Parameters
    ----------
    name : str
        Name of the set.
    clinic : mapping of str to ClinicValues, or None
        Clinical values of each class. Without values the list is empty.
    chosen : bool, default True
        Whether temperature and thresholds were chosen on validation.
    """
    if not clinic:
        return []
    blocks = _tables(f"{_CHOSEN if chosen else _GIVEN} {_SHARE}", clinic, "class")
    charts = _decision_charts(name, clinic)
    if charts:
        blocks.append(Charts(charts=charts))
    return [Section(title="For a clinic", blocks=tuple(blocks))]


def finding_clinic_section(
    name: str,
    clinic: Mapping[str, ClinicValues] | None,
    findings: Sequence[str],
    *,
    chosen: bool = True,
) -> list[Section]:
    """Return a list of the section on a set with findings.

    Parameters
    ----------
    name : str
        Name of the set.
    clinic : mapping of str to ClinicValues, or None
        Clinical values of each finding that has a known label in the set. Without values the list
        is empty.
    findings : sequence of str
        Names of all findings of the run.
    chosen : bool, default True
        Whether temperatures and thresholds were chosen on validation.
    """
    if not clinic:
        return []
    texts = [_FINDINGS_CHOSEN if chosen else _FINDINGS_GIVEN, _SHARE.replace("class", "finding")]
    unknown = [finding for finding in findings if finding not in clinic]
    if unknown:
        texts.append(f"No image has a known label of {listed(unknown)}.")
    charts = _decision_charts(name, clinic)
    curves = Section(
        title="Decision curves",
        blocks=(Charts(charts=charts),),
        folded="A chart for each finding",
    )
    return [
        Section(
            title="For a clinic",
            blocks=tuple(_tables(" ".join(texts), clinic, "finding")),
            sections=(curves,) if charts else (),
        )
    ]


def _tables(text: str, clinic: Mapping[str, ClinicValues], kind: str) -> list[Block]:
    """Return a text and the tables; `kind` is ``class`` or ``finding``, the heading of the rows."""
    blocks: list[Block] = [Text(text=text), _predictive(clinic, kind), _single(clinic, kind)]
    if any(values.at_specificity for values in clinic.values()):
        blocks.append(_at_specificity(clinic, kind))
    return blocks


def _decision_charts(name: str, clinic: Mapping[str, ClinicValues]) -> tuple[Chart, ...]:
    return tuple(
        _decision_chart(name, label, values.decision_curve)
        for label, values in clinic.items()
        if values.decision_curve is not None
    )


def _predictive(clinic: Mapping[str, ClinicValues], kind: str) -> Table:
    rows, cells = [], []
    for label, values in clinic.items():
        for predictive in values.predictive_values:
            own = predictive.of == "set"
            rows.append(
                (
                    label,
                    f"{number(predictive.prevalence)}, that of this set"
                    if own
                    else f"{predictive.prevalence:g}",
                    value(predictive.positive),
                    value(predictive.negative),
                )
            )
            cells.append((label, "positive predictive value", predictive.positive))
            cells.append((label, "negative predictive value", predictive.negative))
    return Table(
        caption="Predictive values at the operating point",
        head=(kind, "prevalence", "positive predictive value", "negative predictive value"),
        rows=tuple(rows),
        notes=tuple(_notes(cells)),
    )


def _single(clinic: Mapping[str, ClinicValues], kind: str) -> Table:
    titles = [title for title, _ in next(iter(clinic.values())).titled()]
    return Table(
        caption="Likelihood ratios and correlation at the operating point, and calibration",
        head=(kind, *titles),
        rows=tuple(
            (label, *(value(measured) for _, measured in values.titled()))
            for label, values in clinic.items()
        ),
        notes=(
            "A slope below 1: probabilities are too extreme. An intercept below 0: they are too "
            "high on average.",
            *_notes(
                (label, title, measured)
                for label, values in clinic.items()
                for title, measured in values.titled()
            ),
        ),
    )


def _at_specificity(clinic: Mapping[str, ClinicValues], kind: str) -> Table:
    points = [(label, point) for label, values in clinic.items() for point in values.at_specificity]
    return Table(
        caption="Sensitivity at a stated specificity",
        head=(kind, "specificity on validation", "threshold", "sensitivity", "specificity here"),
        rows=tuple(
            (
                label,
                f"at least {point.stated:g}",
                number(point.threshold),
                value(point.sensitivity),
                value(point.specificity),
            )
            for label, point in points
        ),
        notes=(
            "The threshold is the lowest with that specificity on validation, applied unchanged.",
            *_notes((label, "sensitivity", point.sensitivity) for label, point in points),
        ),
    )


def _decision_chart(name: str, label: str, curve: DecisionCurve) -> Chart:
    """Return a chart of net benefit.

    Values of the model and of its band below the chart are drawn on the lower edge. Values of
    treating all below the chart are left out.
    """
    highs = [interval[1] for interval in curve.intervals if interval is not None]
    top = max(*curve.net_benefit, *curve.treat_all, *highs, 0.02) * 1.05
    bottom = -0.3 * top

    def inside(y: float) -> float:
        return min(max(y, bottom), top)

    model = zip(curve.thresholds, curve.net_benefit, strict=True)
    everyone = zip(curve.thresholds, curve.treat_all, strict=True)
    ranges = listed([f"{low:g} to {high:g}" for low, high in curve.useful()])
    return Chart(
        title=f"{name}: net benefit for {label}",
        description="Better than treating all and treating none at thresholds "
        f"{ranges or NONE}. Treating none is the line at 0. The band holds the 95 % interval of "
        "each point by itself.",
        x_label="threshold probability",
        y_label="net benefit",
        lines=(
            Line(name="by the model", points=tuple((x, inside(y)) for x, y in model)),
            Line(name="treat all", points=tuple((x, y) for x, y in everyone if y >= bottom)),
            Line(name="", points=((0.0, 0.0), (1.0, 0.0))),
        ),
        y_range=(bottom, top),
        band=tuple(
            (x, inside(interval[0]), inside(interval[1]))
            for x, interval in zip(curve.thresholds, curve.intervals, strict=True)
            if interval is not None
        ),
    )


def _notes(cells: Iterable[tuple[str, str, Measured]]) -> Iterator[str]:
    """Yield notes on cells without a value, without an interval, or with few patients.

    Each reason occurs once, with all cells that it applies to.
    """
    notes: dict[str, list[str]] = defaultdict(list)
    for label, title, measured in cells:
        if measured.value is None:
            notes[f"undefined, {measured.reason}"].append(f"{title} of {label}")
        elif measured.interval is None:
            notes[f"no interval, {measured.reason}"].append(f"{title} of {label}")
        elif measured.remark:
            notes[f"read with care, {measured.remark}"].append(label)
    for note, names in notes.items():
        yield f"{listed(list(dict.fromkeys(names)))}: {note}."
