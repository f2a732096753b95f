"""The data card and the model card of a run: what it was made of, and what it is not for."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cxr_models.records.ties import components
from cxr_models.report.blocks import Block, Section, Table, Text
from cxr_models.report.formatting import NONE, listed, number
from cxr_models.runs.folder import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cxr_models.report.read.results import Results

MODEL_CARD = "Model card"  # the title of its section
_NOT_STATED = "not stated"
_AUDIT = (
    ("majority", "commonest label"),
    ("border", "border: the outer eighth of each side"),
    ("thumbnail", "thumbnail of 32 x 32"),
    ("histogram", "gray histogram of 16 bins"),
    ("size", "size and aspect ratio"),
    ("label_from_source", "name of the source"),
    ("run", "the run"),
    ("centre_blanked", "the run, centre blanked"),
    ("border_blanked", "the run, border blanked"),
)
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
    "apart and never see a lung. An accuracy counts only beside the audit and beside other "
    "sources.",
    "Intervals say how much the values would change with other patients of the same sources. They "
    "say nothing of other hospitals, machines or years.",
    "Probabilities were calibrated on validation and hold for its shares of the labels alone.",
    "Grad-CAM shows where the last map of the network speaks for a class, at its own coarse "
    "resolution; it does not show why, and a plausible map is no proof.",
)


def audit_blocks(run: Results) -> list[Block]:
    """Show what shortcuts reach on the run's split, or say that it was not audited."""
    audit = run.audit
    if audit is None:
        return [
            Text(
                text="Not audited, or not on this split: what models without lungs reach is "
                "unknown. cxr-models audit SPLIT --run RUN keeps its result for this page.",
                tone="note",
            )
        ]
    rows, notes = [], []
    for key, title in (*_AUDIT, ("source", "the source itself, from the thumbnail")):
        one = audit.get(key)
        if one is None:
            continue
        if one["accuracy"] is None:
            notes.append(f"{title}: not judged, {one['reason']}.")
            continue
        rows.append(
            (
                title,
                number(one["accuracy"], one["interval"]),
                number(one["balanced_accuracy"], one["balanced_interval"]),
                one.get("classifier", NONE),
            )
        )
    if "run" in audit:
        notes.append("Blanked: replaced by the image's mean before anything else is done to it.")
    verdict = str(audit["verdict"])
    return [
        Text(text=f"{verdict[:1].upper()}{verdict[1:]}.", tone="verdict"),
        Table(
            caption="What models that see no lungs, or hardly, reach on the same test images",
            head=("model", "accuracy", "balanced accuracy", "chosen on validation"),
            rows=tuple(rows),
            notes=tuple(notes),
        ),
    ]


def data_card(run: Results) -> Section:
    """Count images and patients by label, source and part, and name the split."""
    counts: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    totals: dict[str, tuple[int, int]] = {}
    for name, predictions in run.sets.items():
        records = predictions.manifest.records
        patients = components(records)
        of_cell: dict[tuple[str, str], list[int]] = defaultdict(list)
        for record, patient in zip(records, patients, strict=True):
            of_cell[record.label, record.source or _NOT_STATED].append(patient)
        for cell, those in of_cell.items():
            counts[cell][name] = len(those), len(set(those))
        totals[name] = len(records), len(set(patients))
    rows = [
        (f"{label}, {source}", *(_counts(counts[label, source].get(name)) for name in run.sets))
        for label, source in sorted(counts)
    ]
    rows.append(("all", *(_counts(totals[name]) for name in run.sets)))
    facts = run.facts
    told = [
        ("hash of the split (SHA-256)", str(facts.get("split_sha256", NONE))),
        ("seed of the split", _or_dash(facts.get("split_seed"))),
    ]
    blocks: list[Block] = [
        Table(
            caption="Images (patients) by label and source in each part",
            head=("label, source", *run.sets),
            rows=tuple(rows),
            notes=("Images tied by patient or by duplicates count as one patient.",),
        ),
        *(Text(text=sentence, tone="note") for sentence in confounded(run)),
        Table(caption="Split", head=("what", "value"), rows=tuple(told), words=True),
    ]
    return Section(title="Data card", blocks=tuple(blocks))


def confounded(run: Results) -> list[str]:
    """Say which labels come, in train, from sources that hold no other label."""
    records = run.sets["train"].manifest.records if "train" in run.sets else ()
    sources: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.source:
            sources[record.label].add(record.source)
            labels[record.source].add(record.label)
    if not sources:
        return ["The records state no source: whether labels can be told by it is not known."]
    return [
        f"In train every image of {label} whose source is stated comes from "
        f"{listed(sorted(of_label))}, where no other label comes from."
        for label, of_label in sorted(sources.items())
        if len(sources) > 1 and all(labels[source] == {label} for source in of_label)
    ]


def settings(run: Results) -> Section:
    """Tell where the weights come from, the versions, and every setting."""
    facts = run.facts
    told = [
        ("weights at the start", _origin(run)),
        ("weights of the run (SHA-256)", str(run.evaluation["weights_sha256"])),
        ("weights of the run are of", _kept(run)),
        ("backend of Keras", str(facts.get("backend", NONE))),
        ("evaluated with", f"cxr-enhance {run.evaluation['version']}"),
        *((name, str(version)) for name, version in facts.get("versions", {}).items()),
    ]
    return Section(
        title="Settings, weights and versions",
        blocks=(
            Table(
                caption="Weights and versions", head=("what", "value"), rows=tuple(told), words=True
            ),
            Table(
                caption="Settings",
                head=("setting", "value"),
                rows=tuple(_flat(run.config.to_dict())),
                notes=("Names of folders are left out.",),
                words=True,
            ),
        ),
    )


def model_card() -> Section:
    """Say what such a classifier is for, what it is not for, and where its numbers end."""
    return Section(
        title=MODEL_CARD,
        sections=(
            Section(title="Intended use", blocks=tuple(Text(text=one) for one in _INTENDED)),
            Section(title="Limits", blocks=tuple(Text(text=one) for one in _LIMITS)),
        ),
    )


def _origin(run: Results) -> str:
    weights = run.config.model.weights
    if weights == "none":
        return "none: trained from random numbers"
    if weights == "imagenet":
        return "ImageNet, as Keras ships them"
    sha256 = run.facts.get("weights_sha256")
    return f"{PurePath(weights).name}" + (f", SHA-256 {sha256}" if sha256 else "")


def _kept(run: Results) -> str:
    kept = run.facts.get(KEPT)
    if kept is None:
        return "the last phase's best epoch"  # of versions that did not tell
    accuracy = number(kept["val_accuracy"])
    return f"epoch {kept['epoch'] + 1} of phase {kept['phase']}, validation accuracy {accuracy}"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif name == "weights":
            yield f"{prefix}{name}", PurePath(value).name
        elif name != "cache_dir":
            yield f"{prefix}{name}", _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _counts(pair: tuple[int, int] | None) -> str:
    return NONE if pair is None else f"{pair[0]:,} ({pair[1]:,})"


def _or_dash(value: object) -> str:
    return NONE if value is None else str(value)
