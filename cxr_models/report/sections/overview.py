"""Summary of a page about runs with classes: sentences on their accuracies, and a table."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.evaluation.bootstrap import LEVEL
from cxr_models.report.blocks import Block, Section, Table, Text
from cxr_models.report.formatting import NONE, listed, number, value
from cxr_models.report.sections.values import shared_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.findings_results import FindingsSet
    from cxr_models.evaluation.results import SetEvaluation
    from cxr_models.report.read.finding_results import AnyResults
    from cxr_models.report.read.results import Results

# On a page with this number of runs or more, the section of each run starts closed. If the runs
# have classes, the summary states a sentence once for all runs of which it is true.
MANY = 4


def summary(runs: Sequence[Results]) -> Section:
    """Return the section with the accuracies of the runs and the limits of these values."""
    sentences = [sentence for run in runs for sentence in verdict(run)]
    if len(runs) >= MANY:
        sentences = list(verdict_of_many(runs))
    return Section(
        title="Summary",
        blocks=(
            *(Text(text=sentence, tone="verdict") for sentence in sentences),
            Text(
                text="Research software, not a medical device: nothing here is fit for diagnosis.",
                tone="note",
            ),
        ),
    )


def verdict(run: Results) -> list[str]:
    """Return sentences on the accuracy of a run, on shortcuts, and on other sources."""
    test = run.test
    if test is None:
        sentences = [f"Run {run.name} has no test set: its accuracy is unknown."]
    else:
        sentences = [
            f"Run {run.name} gets {value(test.overall.accuracy)} of its test set right "
            f"({rows_of(run, test)}). " + _audited(run)
        ]
    sentences += [
        f"On the set {name}, another source, run {run.name} gets "
        f"{value(values.overall.accuracy)} of {counted(values.images, run.evaluation.unit)} right: "
        f"{_elsewhere(run, values)}." + "".join(f" {text}." for text in shared_sentences(values))
        for name, values in run.externals.items()
    ]
    if not run.externals:
        sentences.append(
            f"Run {run.name} was not tested on images of another source, so its accuracy there is "
            f"unknown ({sources_command(run)})."
        )
    return sentences


def verdict_of_many(runs: Sequence[Results]) -> Iterator[str]:
    """Yield the sentences of `verdict` for many runs; a sentence that is true of several is merged.

    The sentence on the test sets names the runs of the lowest and the highest accuracy.
    """
    of_classes: dict[frozenset[str], list[Results]] = defaultdict(list)
    audits: dict[str, list[Results]] = defaultdict(list)
    elsewhere: dict[tuple[str, str], list[str]] = defaultdict(list)
    shared: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run in runs:
        if run.test is not None:
            of_classes[frozenset(run.class_names)].append(run)
        sentence = "" if run.audit is None else run.audit.verdict
        audits[sentence.rpartition(": ")[2]].append(run)
        for name, values in run.externals.items():
            accuracy = number(values.overall.accuracy.value)
            elsewhere[name, _elsewhere(run, values)].append(f"{run.name} ({accuracy})")
            for sentence in shared_sentences(values):
                shared[name, sentence].append(run.name)
    for alike in of_classes.values():
        low, high = (end(alike, key=_accuracy_or_0) for end in (min, max))
        reached = f"{_accuracy(low.test)} ({low.name})"
        if len(alike) > 1:
            reached += f" to {_accuracy(high.test)} ({high.name})"
        yield (
            f"{counted(len(alike), 'run')} with the classes {listed(alike[0].class_names)}: "
            f"accuracy {reached} on {'its test set' if len(alike) == 1 else 'their test sets'}."
        )
    for meaning, alike in audits.items():
        names = listed([run.name for run in alike])
        likewise = listed([run.name for run in alike[1:]])
        yield (
            f"{_audited(alike[0])[:-1]} ({alike[0].name}{'; so of ' * bool(likewise)}{likewise})."
            if meaning
            else f"Not audited, so that it is unknown how much of their accuracy can be read from "
            f"the source instead of the lungs: {names}."
        )
    for (name, finding), accuracies in elsewhere.items():
        yield f"On the set {name}, another source, {finding}: {listed(accuracies)}."
    for (name, sentence), sharing in shared.items():
        yield f"On the set {name}, {sentence}: {listed(sharing)}."
    alone = [run.name for run in runs if not run.externals]
    if alone:
        yield (
            "Not tested on images of another source, so that the accuracy there is unknown: "
            f"{listed(alone)}."
        )
    untested = [run.name for run in runs if run.test is None]
    if untested:
        yield f"Without a test set, so that the accuracy is unknown: {listed(untested)}."


def side_by_side(runs: Sequence[Results]) -> Section:
    """Return a section with a table of the accuracies on test and other sources.

    The table also has the accuracies of shortcut models.
    """
    externals = sorted({name for run in runs for name in run.externals})
    rows = []
    for run in runs:
        audit = run.audit
        shortcuts = (audit.border, audit.thumbnail, audit.majority) if audit else (None,) * 3
        rows.append(
            (
                run.name,
                _accuracy(run.test),
                NONE if run.test is None else value(run.test.overall.balanced_accuracy),
                *(_accuracy(run.externals.get(name)) for name in externals),
                *(number(r.accuracy, r.interval) if r else NONE for r in shortcuts),
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
        notes=(f"{100 * LEVEL:g} % intervals. A dash: not evaluated.",),
    )
    blocks: list[Block] = [table]
    if len({run.facts.split_sha256 for run in runs if run.facts is not None}) > 1:
        blocks.append(
            Text(
                text="The runs were trained and tested on different splits: their accuracies must "
                "not be compared (cxr-models evaluate RUN RUN pools them).",
                tone="note",
            )
        )
    return Section(title="Side by side", blocks=tuple(blocks))


def arm(config: RunConfig) -> str:
    """Return ``raw`` or ``enhanced``, the names of the study's arms."""
    return "raw" if config.data.enhance is None else "enhanced"


def _accuracy(values: SetEvaluation | None) -> str:
    return NONE if values is None else value(values.overall.accuracy)


def rows_of(run: AnyResults, values: SetEvaluation | FindingsSet) -> str:
    """Return a text with the numbers of rows, of the images joined into them, and of patients.

    The number of patients is left out if each row is a patient.
    """
    rows = counted(values.images, run.evaluation.unit)
    if values.joined_images is not None:
        rows += f" from {counted(values.joined_images, 'image')}"
    if run.evaluation.unit == "patient":
        return rows
    return f"{rows} of {counted(values.patients, 'patient')}"


def _audited(run: Results) -> str:
    if run.audit is None:
        return (
            "It was not audited: how much of this accuracy can be read from the source instead of "
            f"the lungs is unknown ({audit_command(run)})."
        )
    return f"{run.audit.verdict[:1].upper()}{run.audit.verdict[1:]}."


def audit_command(run: AnyResults) -> str:
    """Return the command that audits a run, or a third-party model."""
    if run.config is None:
        return "cxr-models evaluate-predictions --images"
    return "cxr-models audit SPLIT --run RUN"


def sources_command(run: AnyResults) -> str:
    """Return the command or input with which a run, or a third-party model, gets external sets."""
    if run.config is None:
        return "rows of a part of that name in its table"
    return "cxr-models evaluate --external"


def _accuracy_or_0(run: Results) -> float:
    return (run.test and run.test.overall.accuracy.value) or 0.0


def _elsewhere(run: Results, values: SetEvaluation) -> str:
    """Return the end of a sentence that compares the accuracy on a set with that on test."""
    interval = values.overall.accuracy.interval
    here = run.test and run.test.overall.accuracy.interval
    largest = max(of_class.images for of_class in values.classes.values())
    if largest == values.images:
        return "of one class alone, which cannot show whether the run separates classes there"
    if interval is None:
        return "too few patients to say more"
    if interval[0] <= largest / values.images:
        floor = number(largest / values.images)
        return f"no better than always predicting the commonest class there ({floor})"
    if here and interval[1] < here[0]:
        return "clearly less than on the run's test set"
    return "no clear loss against the run's test set" if here else "with no test set to compare"
