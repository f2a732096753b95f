"""Sections on the audit, the data, the settings and the weights of a run, and the model card."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING

from cxr_models.evaluation.results import NOT_STATED
from cxr_models.records.ties import components
from cxr_models.report.blocks import Block, Section, Table, Text
from cxr_models.report.formatting import NONE, listed, number
from cxr_models.report.sections.overview import audit_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.report.read.finding_results import AnyResults
    from cxr_models.report.read.results import Results
    from cxr_models.runs.facts import EpochRow, RunFacts

MODEL_CARD = "Model card"  # title of the section of the model card
_INTENDED = (
    "For research on how well such networks do and on what they look at: comparing enhancement, "
    "backbones and splits, and finding shortcuts in sets of radiographs.",
    "Not for diagnosis, triage or any other decision about a patient. It is not a medical device "
    "and was not tested as one.",
)
_LIMITS = (
    "A label is what the image's source says: a laboratory test, a report read by a program, or "
    "the title of a publication. Sources mean different things by the same word, and none of them "
    "says what can be seen on the image.",
    "Where labels come from different sources, hospitals or ages, a network can tell the sources "
    "apart and never see a lung. A value counts only beside the audit and beside other sources.",
    "Intervals show how much the values would change with other patients of the same sources. "
    "Intervals show nothing of other hospitals, machines or years.",
    "Probabilities were calibrated on the validation part and hold only where labels have the same "
    "shares as in that part.",
    "Grad-CAM shows which places of the network's last feature map support a class or a finding, "
    "at the map's coarse resolution. It does not show why, and a plausible map is no proof.",
)
_KNOWN_ALONE = (
    "The values of a finding are of the images whose label for it is known. A report that does not "
    "mention a finding often leaves its label unknown, so that the images that count differ from "
    "finding to finding, and from those of a clinic."
)


def audit_blocks(run: Results) -> list[Block]:
    """Return the verdict of the audit and a table of the accuracies of shortcut models.

    For a run without an audit, return a note that there is no audit.
    """
    audit = run.audit
    if audit is None:
        return [
            Text(
                text="The run was not audited, or not on this split: the accuracy of models that "
                f"see no lungs is unknown. {audit_command(run)} keeps its result for this page.",
                tone="note",
            )
        ]
    rows, notes = [], []
    source = ("the source itself, from the thumbnail", audit.source)
    for title, reached in (*audit.titled(), source):
        if reached.accuracy is None:
            notes.append(f"{title}: not evaluated, {reached.reason}.")
            continue
        rows.append(
            (
                title,
                number(reached.accuracy, reached.interval),
                number(reached.balanced_accuracy, reached.balanced_interval),
                reached.classifier or NONE,
            )
        )
    if audit.centre_blanked is not None:
        notes.append("A blanked region is replaced by the image's mean before any other step.")
    return [
        Text(text=f"{audit.verdict[:1].upper()}{audit.verdict[1:]}.", tone="verdict"),
        Table(
            caption="Accuracy of models that see no lungs, or hardly, on the same test images",
            head=("model", "accuracy", "balanced accuracy", "chosen on validation"),
            rows=tuple(rows),
            notes=tuple(notes),
        ),
    ]


def data_card(run: Results) -> Section:
    """Return a section with the counts of images and patients by label, source and part.

    The section also states the hash and the seed of the split.
    """
    counts: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    totals: dict[str, tuple[int, int]] = {}
    for name, predictions in run.sets.items():
        records = predictions.manifest.records
        patients = components(records)
        patients_of_cell: dict[tuple[str, str], list[int]] = defaultdict(list)
        for record, patient in zip(records, patients, strict=True):
            patients_of_cell[record.label, record.source or NOT_STATED].append(patient)
        for cell, cell_patients in patients_of_cell.items():
            counts[cell][name] = len(cell_patients), len(set(cell_patients))
        totals[name] = len(records), len(set(patients))
    rows = [
        (f"{label}, {source}", *(_counts(counts[label, source].get(name)) for name in run.sets))
        for label, source in sorted(counts)
    ]
    rows.append(("all", *(_counts(totals[name]) for name in run.sets)))
    split = [("hash of the records (SHA-256)", run.split_sha256)]
    if run.facts is not None:
        split = [
            ("hash of the split (SHA-256)", run.facts.split_sha256),
            ("seed of the split", _or_dash(run.facts.split_seed)),
        ]
    rows_are = run.evaluation.units
    blocks: list[Block] = [
        Table(
            caption=f"{rows_are.capitalize()} (patients) by label and source in each part",
            head=("label, source", *run.sets),
            rows=tuple(rows),
            notes=("Images tied by patient or by duplicates count as one patient.",),
        ),
        *(Text(text=sentence, tone="note") for sentence in confounded(run)),
        Table(caption="Split", head=("property", "value"), rows=tuple(split), words=True),
    ]
    return Section(title="Data card", blocks=tuple(blocks))


def confounded(run: Results) -> list[str]:
    """Return a sentence for each label whose sources have no image of another label in train.

    Images without a source are ignored. If no image of train has a source, the only sentence says
    so. If only one label has images with a source, there is no sentence.
    """
    records = run.sets["train"].manifest.records if "train" in run.sets else ()
    sources: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.source:
            sources[record.label].add(record.source)
            labels[record.source].add(record.label)
    if not sources:
        return ["The records state no source: whether a source predicts its labels is unknown."]
    return [
        f"In train every image of {label} whose source is stated comes from "
        f"{listed(sorted(of_label))}, and no image of another label does."
        for label, of_label in sorted(sources.items())
        if len(sources) > 1 and all(labels[source] == {label} for source in of_label)
    ]


def settings(run: AnyResults) -> Section:
    """Return a section with the origin of the weights, the versions, and all settings.

    For a third-party model, the section has the hashes of its tables and the version only.
    """
    evaluated = ("evaluated with", f"cxr-enhance {run.evaluation.version}")
    if run.config is None or run.facts is None:
        tables = {predictions.origin.inputs for predictions in run.sets.values()}
        read = [("predictions read from a table (SHA-256)", digest) for digest in sorted(tables)]
        return Section(
            title="Predictions and version",
            blocks=(
                Table(
                    caption="A third-party model: neither weights nor settings are known",
                    head=("property", "value"),
                    rows=(*read, evaluated),
                    words=True,
                ),
            ),
        )
    versions = [
        ("weights at the start", _initial_weights(run.config, run.facts)),
        ("weights of the run (SHA-256)", run.evaluation.weights_sha256),
        ("weights of the run are of", _kept_epoch(run.config, run.facts, run.history)),
        ("backend of Keras", _or_dash(run.facts.backend)),
        evaluated,
        *(run.facts.versions or {}).items(),
    ]
    return Section(
        title="Settings, weights and versions",
        blocks=(
            Table(
                caption="Weights and versions",
                head=("property", "value"),
                rows=tuple(versions),
                words=True,
            ),
            Table(
                caption="Settings",
                head=("setting", "value"),
                rows=tuple(_of_task(run.config)),
                notes=("Names of folders are left out.",),
                words=True,
            ),
        ),
    )


def remarks(run: AnyResults) -> list[Text]:
    """Return remarks on the table of a third-party model; an empty list for a run."""
    return [
        Text(
            text=f"Of its table: {remark}.",
            tone="verdict" if remark.startswith("WARNING") else "note",
        )
        for remark in run.evaluation.remarks
    ]


def model_card(runs: Sequence[AnyResults]) -> Section:
    """Return the section with the intended use of a classifier and the limits of its values."""
    limits = list(_LIMITS)
    not_chosen = [run.name for run in runs if not run.evaluation.operating_points.chosen_on]
    if not_chosen:
        limits.append(
            f"Without a validation part: {listed(not_chosen)}. These probabilities are as the "
            "model gave them, and these thresholds are not chosen on validation."
        )
    limits += _limits_of_findings(runs)
    return Section(
        title=MODEL_CARD,
        sections=(
            Section(title="Intended use", blocks=tuple(Text(text=text) for text in _INTENDED)),
            Section(title="Limits", blocks=tuple(Text(text=text) for text in limits)),
        ),
    )


def _initial_weights(config: RunConfig, facts: RunFacts) -> str:
    weights = config.model.weights
    if weights == "none":
        return "none: trained from random numbers"
    if weights == "imagenet":
        return "ImageNet, as Keras ships them"
    sha256 = facts.weights_sha256
    return f"{PurePath(weights).name}" + (f", SHA-256 {sha256}" if sha256 else "")


def _limits_of_findings(runs: Sequence[AnyResults]) -> list[str]:
    """Return the limits that apply only to findings; an empty list for runs with classes."""
    limits: list[str] = []
    for run in runs:
        calibration = run.evaluation.calibration
        if not isinstance(calibration, dict):  # a run with classes has a single temperature
            continue
        if not limits:
            limits.append(_KNOWN_ALONE)
        not_fitted = [name for name, of_finding in calibration.items() if of_finding.reason]
        if not_fitted and run.evaluation.operating_points.chosen_on:
            limits.append(
                f"No temperature could be fitted for {listed(not_fitted)} of run {run.name}: these "
                "probabilities are as the network gave them."
            )
    return limits


def _kept_epoch(config: RunConfig, facts: RunFacts, history: Sequence[EpochRow]) -> str:
    kept = facts.kept
    if kept is None:
        return "the last phase's best epoch"  # rule of earlier versions, which stored no epoch
    epoch = f"epoch {kept.epoch + 1} of phase {kept.phase}"
    if config.model.task != "multilabel":
        return f"{epoch}, validation accuracy {number(kept.val_accuracy)}"
    losses = [r.val_loss for r in history if (r.phase, r.epoch) == (kept.phase, kept.epoch)]
    return epoch + "".join(f", validation loss of known labels {number(x)}" for x in losses[:1])


def _of_task(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Yield the names and values of all settings that apply to the task of the run."""
    task = config.model.task
    others = set() if task == "binary" else {"model.positive_class"}
    if task != "multilabel":
        others |= {"model.findings", "model.uncertain", "training.positive_weights"}
    return ((name, value) for name, value in _flat(config.to_dict()) if name not in others)


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif name == "weights":
            yield f"{prefix}{name}", PurePath(str(value)).name
        elif name != "cache_dir":
            yield f"{prefix}{name}", _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, list):
        between = ", " if any(isinstance(one, str) for one in value) else " "
        return between.join(map(_shown, value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _counts(pair: tuple[int, int] | None) -> str:
    return NONE if pair is None else f"{pair[0]:,} ({pair[1]:,})"


def _or_dash(value: object) -> str:
    return NONE if value is None else str(value)
