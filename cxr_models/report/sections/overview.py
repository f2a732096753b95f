"""The top of a page: what the runs are worth in plain words, and side by side."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cxr_models.report.blocks import Section, Table, Text
from cxr_models.report.formatting import NONE, counted, listed, number, value
from cxr_models.report.sections.values import shared_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_models.report.read.results import Results

MANY = 4  # runs from which on what is true of several is said once


def summary(runs: Sequence[Results]) -> Section:
    """Say what the runs reach, what that is worth, and nothing else."""
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
    sentences += [
        f"On the set {name}, another source, run {run.name} gets "
        f"{value(told['overall']['accuracy'])} of {counted(told['images'], 'image')} right: "
        f"{_elsewhere(run, told)}." + "".join(f" {one}." for one in shared_sentences(told))
        for name, told in run.externals.items()
    ]
    if not run.externals:
        sentences.append(
            f"Run {run.name} was not judged on images of another source, so nothing shows that it "
            "holds there (cxr-models evaluate --external)."
        )
    return sentences


def verdict_of_many(runs: Sequence[Results]) -> Iterator[str]:
    """Yield the same sentences for so many runs that each must be said once, of all it is true."""
    of_classes: dict[tuple[str, ...], list[Results]] = defaultdict(list)
    audits: dict[str, list[Results]] = defaultdict(list)
    elsewhere: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run in runs:
        if run.test is not None:
            of_classes[run.class_names].append(run)
        said = "" if run.audit is None else str(run.audit["verdict"])
        audits[said.rpartition(": ")[2]].append(run)
        for name, told in run.externals.items():
            accuracy = number(told["overall"]["accuracy"]["value"])
            elsewhere[name, _elsewhere(run, told)].append(f"{run.name} ({accuracy})")
    for classes, those in of_classes.items():
        low, high = (end(those, key=_accuracy) for end in (min, max))
        reached = f"{_of(low.test, 'accuracy')} ({low.name})"
        if len(those) > 1:
            reached += f" to {_of(high.test, 'accuracy')} ({high.name})"
        yield (
            f"{counted(len(those), 'run')} telling {listed(list(classes))} apart: right in "
            f"{reached} of {'its test set' if len(those) == 1 else 'their test sets'}."
        )
    for meaning, those in audits.items():
        names = listed([run.name for run in those])
        likewise = listed([run.name for run in those[1:]])
        yield (
            f"{_audited(those[0])[:-1]} ({those[0].name}{'; so of ' * bool(likewise)}{likewise})."
            if meaning
            else f"Not audited, so that it is unknown how much of their accuracy can be read from "
            f"the source instead of the lungs: {names}."
        )
    for (name, judgement), reached_there in elsewhere.items():
        yield f"On the set {name}, another source, {judgement}: {listed(reached_there)}."
    shared = {
        f"On the set {name}, run {run.name}: {one}."
        for run in runs
        for name, told in run.externals.items()
        for one in shared_sentences(told)
    }
    yield from sorted(shared)
    alone = [run.name for run in runs if not run.externals]
    if alone:
        yield (
            "Not judged on images of another source, so that nothing shows that they hold there: "
            f"{listed(alone)}."
        )
    untested = [run.name for run in runs if run.test is None]
    if untested:
        yield f"Without a test set, so that nothing is known of their worth: {listed(untested)}."


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


def _accuracy(run: Results) -> float:
    return 0.0 if run.test is None else float(run.test["overall"]["accuracy"]["value"])


def _elsewhere(run: Results, told: dict[str, Any]) -> str:
    """Return what an accuracy on another source is worth, as the end of a sentence."""
    interval = told["overall"]["accuracy"]["interval"]
    here = run.test and run.test["overall"]["accuracy"]["interval"]
    largest = max(told["classes"].values(), key=lambda one: one["images"])["images"]
    if largest == told["images"]:
        return "of one class alone, so that nothing shows whether it is told from others there"
    if interval is None:
        return "too few patients to say more"
    if interval[0] <= largest / told["images"]:
        floor = number(largest / told["images"])
        return f"no better than always saying the commonest class there ({floor})"
    if here and interval[1] < here[0]:
        return "clearly less than on the own test set"
    return "no clear loss against the own test set" if here else "with no test set to compare"
