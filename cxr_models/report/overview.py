"""The top of a page: what the runs are worth in plain words, side by side, in the study's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxr_models.config import BACKBONE_NAMES
from cxr_models.report.blocks import Section, Table, Text
from cxr_models.report.words import NONE, counted, listed, number, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.report.results import Results

TITLES = {
    "nasnet_mobile": "NASNetMobile",
    "resnet101": "ResNet101",
    "inception_resnet_v2": "InceptionResNetV2",
}
_COLUMNS = (
    ("three classes, raw", "multiclass", False),
    ("three classes, enhanced", "multiclass", True),
    ("covid or not, raw", "binary", False),
    ("covid or not, enhanced", "binary", True),
)


def summary(runs: Sequence[Results]) -> Section:
    """Say of each run what it reaches, what that is worth, and nothing else."""
    return Section(
        title="Summary",
        blocks=(
            *(Text(text=sentence, tone="verdict") for run in runs for sentence in verdict(run)),
            Text(
                text="Research software, not a medical device: nothing here is fit for diagnosis.",
                tone="note",
            ),
        ),
    )


def verdict(run: Results) -> list[str]:
    """Return the plain sentences on a run: its accuracy, what shortcuts reach, other sources."""
    test = run.test
    if test is None:
        sentences = [f"Run {run.name} has no test set: nothing is known of what it is worth."]
    else:
        sentences = [
            f"Run {run.name} gets {value(test['overall']['accuracy'])} of its test set right "
            f"({counted(test['images'], 'image')} of {counted(test['patients'], 'patient')}). "
            + _audited(run)
        ]
    sentences += [_elsewhere(run, name, told) for name, told in run.externals.items()]
    if not run.externals:
        sentences.append(
            f"Run {run.name} was not judged on images of another source, so nothing shows that it "
            "holds there (cxr-models evaluate --external)."
        )
    return sentences


def study_table(runs: Sequence[Results]) -> Section:
    """Show the accuracies of 3 backbones, 2 tasks and 2 arms; empty where no run is given."""
    rows = []
    for backbone in BACKBONE_NAMES:
        cells = []
        for _, task, enhanced in _COLUMNS:
            found = [run for run in runs if _cell(run) == (backbone, task, enhanced)]
            shown = [
                value(run.test["overall"]["accuracy"])
                + (f" ({run.name})" if len(found) > 1 else "")
                for run in found
                if run.test is not None
            ]
            cells.append("; ".join(shown) or NONE)
        rows.append((TITLES[backbone], *cells))
    notes = [
        "Test set, 95 % intervals. A dash: no such run was given. Read it beside what models "
        "without lungs reach, below."
    ]
    odd = [run.name for run in runs if run.config.model.task == "multiclass"]
    odd = [run.name for run in runs if run.name in odd and len(run.class_names) != 3]
    if odd:
        notes.append(f"Not three classes: {listed(odd)}.")
    other = [
        f"{run.name}: {run.config.model.positive_class}"
        for run in runs
        if run.config.model.task == "binary" and run.config.model.positive_class != "covid"
    ]
    if other:
        notes.append(f"Another label than covid against the rest: {listed(other)}.")
    table = Table(
        caption="Accuracy by backbone, task and enhancement",
        head=("backbone", *(title for title, _, _ in _COLUMNS)),
        rows=tuple(rows),
        notes=tuple(notes),
    )
    return Section(title="The study's table", blocks=(table,))


def side_by_side(runs: Sequence[Results]) -> Section:
    """Show each run's accuracy beside other sources and beside the shortcuts of its split."""
    externals = sorted({name for run in runs for name in run.externals})
    rows = []
    for run in runs:
        audit = run.audit or {}
        rows.append(
            (
                run.name,
                *(_of(run.test, name) for name in ("accuracy", "balanced_accuracy")),
                *(_of(run.externals.get(name), "accuracy") for name in externals),
                *(_shortcut(audit, name) for name in ("border", "thumbnail", "majority")),
            )
        )
    table = Table(
        caption="Each run beside other sources and beside models that see no lungs, or hardly",
        head=(
            "run",
            "test: accuracy",
            "test: balanced accuracy",
            *(f"{name}, another source: accuracy" for name in externals),
            "border alone",
            "thumbnail alone",
            "commonest label",
        ),
        rows=tuple(rows),
        notes=("95 % intervals. A dash: not judged.",),
    )
    blocks: list[Any] = [table]
    if len({run.facts.get("split_sha256") for run in runs}) > 1:
        blocks.append(
            Text(
                text="The runs were trained and tested on different splits: their accuracies must "
                "not be compared (cxr-models evaluate RUN RUN pools them).",
                tone="note",
            )
        )
    return Section(title="Side by side", blocks=tuple(blocks))


def arm(run: Results) -> str:
    """Return ``raw`` or ``enhanced``, as the study calls its arms."""
    return "raw" if run.config.data.enhance is None else "enhanced"


def _cell(run: Results) -> tuple[str, str, bool]:
    model = run.config.model
    return model.backbone, model.task, run.config.data.enhance is not None


def _of(told: dict[str, Any] | None, name: str) -> str:
    return NONE if told is None else value(told["overall"][name])


def _shortcut(audit: dict[str, Any], name: str) -> str:
    one = audit.get(name)
    return NONE if one is None else number(one["accuracy"], one["interval"])


def _audited(run: Results) -> str:
    if run.audit is None:
        return (
            "It was not audited: how much of that can be read from the source instead of the lungs "
            "is unknown (cxr-models audit SPLIT --run RUN)."
        )
    said = str(run.audit["verdict"])
    return f"{said[:1].upper()}{said[1:]}."


def _elsewhere(run: Results, name: str, told: dict[str, Any]) -> str:
    accuracy = told["overall"]["accuracy"]
    start = (
        f"On the set {name}, another source, run {run.name} gets {value(accuracy)} of "
        f"{told['images']:,} images right"
    )
    floor = max(one["images"] for one in told["classes"].values()) / told["images"]
    interval, here = accuracy["interval"], run.test and run.test["overall"]["accuracy"]["interval"]
    if interval is None:
        return f"{start}, of too few patients to say more."
    if interval[0] <= floor:
        return f"{start}: no better than always saying the commonest class there ({floor:.3f})."
    if here and interval[1] < here[0]:
        return f"{start}: clearly less than on its own test set."
    return f"{start}: no clear loss against its own test set." if here else f"{start}."
