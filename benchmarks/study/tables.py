"""Markdown tables of docs/study.md from ``benchmarks/results/study``."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from benchmarks.tables.formatting import markdown, significant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TITLES = {
    "nasnet_mobile": "NASNetMobile",
    "resnet101": "ResNet101",
    "inception_resnet_v2": "InceptionResNetV2",
}
_TASKS = {"multiclass": "three classes", "binary": "covid or not"}
_REPORTED = {  # accuracy of the enhanced arm by the study this grew from, per cent
    ("nasnet_mobile", "binary"): "100",
    ("inception_resnet_v2", "binary"): "100",
    ("resnet101", "binary"): "98",
    ("nasnet_mobile", "multiclass"): "95",
    ("inception_resnet_v2", "multiclass"): "97.45",
    ("resnet101", "multiclass"): "90",
}
_NOT_RUN = "not run here"
_ARMS = {
    "raw": "raw",
    "enhanced": "enhanced",
    "bold": "enhanced, bolder",
    "pad": "raw, border cropped, padded",
}
_CELL_ARMS = ("raw", "enhanced")
_CELLS = tuple(itertools.product(_TITLES, _TASKS, _CELL_ARMS))
_CELL_HEAD = (
    "task", "model", "weights, pixels, epochs", "test: accuracy", "balanced",
    "other sources: accuracy", "balanced", "loss in training", "reported, %",
)  # fmt: skip
_HOW = _CELL_HEAD.index("weights, pixels, epochs")
_SHORTCUTS = {"border": "border alone", "thumbnail": "thumbnail alone"}
_SETS = {"train": "train", "val": "val", "test": "test", "external": "other sources"}
_TEST_SETS = {name: _SETS[name] for name in ("test", "external")}


class Study:
    """The stored results of the study.

    Parameters
    ----------
    folder : Path
        Holds a JSON file for each run, ``comparisons.json`` and ``throughput.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._documents = {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*.json"))
        }

    def __getitem__(self, name: str) -> Any:
        try:
            return self._documents[name]
        except KeyError:
            raise ValueError(f"the study's results must hold {name}.json; they lack it.") from None

    def get(self, name: str) -> Any:
        """Return a document, or None."""
        return self._documents.get(name)

    def names(self, start: str) -> list[str]:
        """List the documents whose names begin so."""
        return [name for name in self._documents if name.startswith(start)]


def data_table(study: Study) -> str:
    """Write how many images and patients each set has of each source, and with which labels."""
    evaluation = study["arms-raw-1"]["evaluation"]
    labels = evaluation["class_names"]
    rows = []
    for name, title in _SETS.items():
        for source, values in evaluation["sets"][name]["by_source"].items():
            counts = [str(values["labels"].get(label, 0)) for label in labels]
            rows.append((title, source, str(values["images"]), str(values["patients"]), *counts))
    return markdown(["set", "source", "images", "patients", *labels], rows, 2)


def grid_table(study: Study) -> str:
    """Write the study's own table: each backbone, task and arm, beside what shortcuts reach."""
    if not study.names("grid-"):
        return "None of the twelve cells was run with these settings."
    return markdown(list(_CELL_HEAD), _cell_rows(study, "grid"), 3)


def small_table(study: Study) -> str:
    """Write all twelve cells of small runs from scratch, one configuration for all."""
    rows = _cell_rows(study, "table")
    configurations = {row[_HOW] for row in rows} - {""}
    if len(configurations) > 1:
        raise ValueError(
            "the small runs must have one configuration (weights, pixels, epochs); they have "
            f"{' and '.join(sorted(configurations))}."
        )
    kept = [place for place in range(len(_CELL_HEAD)) if place != _HOW]
    return markdown([_CELL_HEAD[p] for p in kept], [[row[p] for p in kept] for row in rows], 2)


def _cell_rows(study: Study, group: str) -> list[tuple[str, ...]]:
    """Write the cells of each task, and what shortcuts reach on its test set."""
    rows = []
    for task, title in _TASKS.items():
        audit = None
        for backbone, arm in itertools.product(_TITLES, _CELL_ARMS):
            document = study.get(f"{group}-{backbone}-{task}-{arm}")
            audit = audit or (document and document["audit"])
            reported = _REPORTED[backbone, task] if arm == "enhanced" else ""
            start = (title, f"{_TITLES[backbone]}, {arm}")
            rows.append((*start, *_cell_values(document), reported))
        for name, shortcut in _SHORTCUTS.items():
            values = [_shortcut(audit, name, v) for v in ("accuracy", "balanced_accuracy")]
            rows.append((title, shortcut, "", *values, *[""] * 4))
    return rows


def _cell_values(document: Any) -> tuple[str, ...]:
    """Write what a cell's run reaches, as under `_CELL_HEAD`; empty where there is no run."""
    if document is None:
        return ("", _NOT_RUN, *[""] * 4)
    sets = document["evaluation"]["sets"]
    values = [
        _value(sets[name]["overall"][value])
        for name in _TEST_SETS
        for value in ("accuracy", "balanced_accuracy")
    ]
    first, last = (float(document["history"][epoch]["loss"]) for epoch in (0, -1))
    return (_how(document), *values, f"{first:.2f} to {last:.2f}")


def grid_commands(study: Study) -> str:
    """Write the command of every cell that is empty."""
    lines = [" ".join(cell) for cell in _CELLS if study.get(f"grid-{'-'.join(cell)}") is None]
    script = "benchmarks/study/run.sh prepare grid collect"
    if len(lines) == len(_CELLS):
        return f"```sh\nCXR_STUDY_DATA=DATA {script}\n```"
    cells = "\n".join(lines)
    return f'```sh\nCXR_STUDY_DATA=DATA CXR_STUDY_CELLS="{cells}" \\\n  {script}\n```'


def arms_table(study: Study) -> str:
    """Write what each arm reaches, seed by seed and on average, and its difference from raw."""
    head = [
        "set",
        "arm",
        "accuracy of each seed",
        "mean",
        "difference from raw",
        "balanced accuracy: difference from raw",
    ]
    rows = []
    for name, title in _TEST_SETS.items():
        comparisons = [
            comparison for comparison in study["comparisons"] if comparison["set"] == name
        ]
        for place, comparison in enumerate(comparisons):
            seeds = comparison["seeds"].values()
            if place == 0:
                accuracies = ", ".join(f"{seed['accuracy'][1]:.3f}" for seed in seeds)
                rows.append(
                    (title, "raw", accuracies, _value(comparison["accuracy"]["raw"]), "", "")
                )
            rows.append(
                (
                    title,
                    _ARMS[comparison["arm"]],
                    ", ".join(f"{seed['accuracy'][0]:.3f}" for seed in seeds),
                    _value(comparison["accuracy"]["arm"]),
                    _value(comparison["accuracy"]["difference"], signed=True),
                    _value(comparison["balanced_accuracy"]["difference"], signed=True),
                )
            )
    return markdown(head, rows, 2)


def points_table(study: Study) -> str:
    """Write what each run does at its operating point for covid, and how far off its shares are."""
    head = ["arm", "seed"]
    for title in _TEST_SETS.values():
        head += [f"{title}: sensitivity", "specificity", "calibration error"]
    rows = []
    for arm, title, name in _runs_of_arms(study):
        sets = study[name]["evaluation"]["sets"]
        cells: list[str] = []
        for test_set in _TEST_SETS:
            point = sets[test_set]["classes"]["covid"]["operating_point"]
            overall = sets[test_set]["overall"]
            cells += [
                _value(point["sensitivity"]),
                _value(point["specificity"]),
                f"{overall['ece_calibrated']['value']:.3f}",
            ]
        rows.append((title, name.removeprefix(f"arms-{arm}-"), *cells))
    return markdown(head, rows, 2)


def _runs_of_arms(study: Study) -> Iterator[tuple[str, str, str]]:
    """Yield each arm and its title with the name of each of its runs."""
    for arm, title in _ARMS.items():
        for name in study.names(f"arms-{arm}-"):
            yield arm, title, name


def adults_table(study: Study) -> str:
    """Write what each run says of the healthy adults of another source."""
    head = ["arm", "seed", "healthy adults of NIH predicted as covid", "as normal", "as virus"]
    rows = []
    for arm, title, name in _runs_of_arms(study):
        evaluation = study[name]["evaluation"]
        classes = evaluation["class_names"]
        counts = evaluation["sets"]["external"]["by_source"]["nih_cxr14"]["confusion"]["counts"]
        normals = counts[classes.index("normal")]
        cells = [str(normals[classes.index(label)]) for label in ("covid", "normal", "virus")]
        cells[0] += f" of {sum(normals)}"
        rows.append((title, name.removeprefix(f"arms-{arm}-"), *cells))
    return markdown(head, rows, 2)


def audit_table(study: Study) -> str:
    """Write what models without lungs reach on the same split, and a run that is blanked."""
    audit = study["arms-enhanced-1"]["audit"]
    titles = {
        "run": "enhanced run, seed 1",
        "border_blanked": "the same run, border blanked",
        "centre_blanked": "the same run, centre blanked",
        "thumbnail": "thumbnail, 32 x 32 pixels",
        "border": "outer border",
        "histogram": "gray histogram",
        "label_from_source": "name of the source",
        "size": "size and aspect ratio",
        "majority": "most frequent label",
    }
    rows = [
        (title, _shortcut(audit, name), _shortcut(audit, name, "balanced_accuracy"))
        for name, title in titles.items()
    ]
    return markdown(["model", "accuracy", "balanced accuracy"], rows, 1)


def sources_table(study: Study) -> str:
    """Write how well COVID-19 of known and unknown sources is told from NIH's adults."""
    head = [
        "trained without", "COVID-19 images (patients)", "of this source in training",
        "ROC-AUC against NIH", "sensitivity at 10 % false alarms", "sensitivity", "false alarms",
    ]  # fmt: skip
    rows = []
    for run, results in study["sources"].items():
        by_source = study[f"sources-{run}"]["evaluation"]["sets"]["test"]["by_source"]
        alarms = _value(_complement(by_source["nih_cxr14"]["classes"]["covid"]["specificity"]))
        for source, result in results.items():
            trained = f"{result['trained_images']} ({result['trained_patients']})"
            rows.append(
                (
                    run.removeprefix("without-") if run != "known" else "nothing",
                    f"{source}: {result['images']} ({result['patients']})",
                    trained if result["trained_images"] else "none",
                    f"{result['roc_auc']:.3f}",
                    f"{result['found']:.3f}",
                    _value(by_source[source]["classes"]["covid"]["recall"]),
                    alarms,
                )
            )
    return markdown(head, rows, 2)


def sources_audit_table(study: Study) -> str:
    """Write what models without or nearly without lungs reach on the same splits of adults."""
    titles = ("the run", "thumbnail", "border", "histogram", "size", "most frequent label")
    names = ("run", "thumbnail", "border", "histogram", "size", "majority")
    rows = [
        (
            run.removeprefix("without-") if run != "known" else "nothing",
            *(_shortcut(study[f"sources-{run}"]["audit"], name, "balanced_accuracy")
              for name in names),
        )
        for run in study["sources"]
    ]  # fmt: skip
    return markdown(["trained without", *titles], rows, 1)


def throughput_table(study: Study) -> str:
    """Write images a second, fed by the pipeline and from memory."""
    document = study["throughput"]
    head = ["model", "fed by the pipeline", "fed from memory", "ratio", "waiting for input"]
    rows = [
        (
            title,
            f"{significant(values['images_per_second'])} images/s",
            f"{significant(values['from_memory'])} images/s",
            f"{values['images_per_second'] / values['from_memory']:.2f}",
            f"{100 * values['waiting_share']:.1f} %",
        )
        for backbone, title in _TITLES.items()
        if (values := document.get(backbone))
    ] or [(f"{_NOT_RUN}: `run.sh throughput`", *[""] * 4)]
    return markdown(head, rows, 1)


def epochs_table(study: Study) -> str:
    """Write the seconds of an epoch with a frozen backbone, without and with kept features."""
    document = study["throughput"]
    head = ["NASNetMobile, backbone frozen, 128 x 128", "an epoch"]
    if not {"epoch_frozen", "epoch_features"} <= document.keys():
        return markdown(head, [(f"{_NOT_RUN}: `run.sh throughput`", "")], 1)
    rows = [
        ("features computed in every epoch", f"{significant(document['epoch_frozen'])} s"),
        ("features kept", f"{significant(document['epoch_features'])} s"),
        ("ratio", f"{significant(document['epoch_frozen'] / document['epoch_features'])}"),
    ]
    return markdown(head, rows, 1)


def summary_table(study: Study) -> str:
    """Write the README's rows: both arms, beside other sources and shortcuts."""
    head = ["", "test set", "other sources"]
    rows = []
    comparisons = {c["set"]: c for c in study["comparisons"] if c["arm"] == "enhanced"}
    for arm, key in (("raw", "raw"), ("enhanced", "arm")):
        values = [_value(comparisons[name]["accuracy"][key]) for name in _TEST_SETS]
        rows.append((f"NASNetMobile, {arm}", *values))
    audit = study["arms-enhanced-1"]["audit"]
    rows += [
        (f"{title} alone", _shortcut(audit, name), "")
        for name, title in (("thumbnail", "32 x 32 thumbnail"), ("border", "image border"))
    ]
    return markdown(head, rows, 1)


def _value(measured: dict[str, Any], *, signed: bool = False) -> str:
    form = "+.3f" if signed else ".3f"
    if measured["value"] is None:
        return "none"
    if measured["interval"] is None:
        return f"{measured['value']:{form}}"
    low, high = measured["interval"]
    return f"{measured['value']:{form}} [{low:{form}}, {high:{form}}]"


def _complement(measured: dict[str, Any]) -> dict[str, Any]:
    interval = measured["interval"] and [1 - bound for bound in reversed(measured["interval"])]
    return {
        "value": None if measured["value"] is None else 1 - measured["value"],
        "interval": interval,
    }


def _shortcut(audit: dict[str, Any] | None, name: str, value: str = "accuracy") -> str:
    if audit is None or name not in audit:
        return ""
    values = audit[name]
    interval = values["interval"] if value == "accuracy" else values["balanced_interval"]
    return _value({"value": values[value], "interval": interval})


def _how(document: dict[str, Any]) -> str:
    config = document["config"]
    weights = {"none": "from scratch", "imagenet": "ImageNet"}.get(
        config["model"]["weights"], "a file"
    )
    return f"{weights}, {config['data']['image_size'][0]}, {len(document['history'])}"


TABLES: dict[str, Callable[[Study], str]] = {
    "study-summary": summary_table,
    "study-data": data_table,
    "study-grid": grid_table,
    "study-table": small_table,
    "study-commands": grid_commands,
    "study-arms": arms_table,
    "study-points": points_table,
    "study-adults": adults_table,
    "study-audit": audit_table,
    "study-sources": sources_table,
    "study-sources-audit": sources_audit_table,
    "study-throughput": throughput_table,
    "study-epochs": epochs_table,
}
