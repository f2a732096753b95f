"""Run folders to JSON that can be published: ``collect WORK [RESULTS]``.

Of each run: settings, versions, history, evaluation, audit. No image, no name of a file, no path.
Several runs on the same images are compared here too, so that tables only have to be written.
"""

from __future__ import annotations

import functools
import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.tables.make_tables import RESULTS
from cxr_models._typed_json import to_json
from cxr_models.evaluation.bootstrap import difference, measure
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.paired_tests import delong, mcnemar
from cxr_models.evaluation.stored import stored_sets
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.predictions import Predictions

_GROUPS = ("arms", "sources", "table", "grid")
_UNPUBLISHED_FACTS = ("split_root", "overlaps")
_CONTROLS = "nih_cxr14"  # the only source of adults without COVID-19


def published_run(folder: Path) -> dict[str, Any]:
    """Return the published part of a run."""
    config = _config(folder).to_dict()
    config["data"]["cache_dir"] = None
    run = RunFolder(path=folder)
    facts = json.loads(run.facts_file.read_text(encoding="utf-8"))
    evaluation = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
    for set_values in evaluation["sets"].values():
        for name in ("curves", "reliability", "by_view"):  # in no table here, and most of the size
            del set_values[name]
        set_values.pop("clinic", None)  # the same, of test sets alone
        set_values.pop("overlap", None)  # it names files
    weights = Path(config["model"]["weights"])
    for section in (config["model"], facts):
        section["weights"] = weights.name
    return {
        "config": config,
        "run": {name: value for name, value in facts.items() if name not in _UNPUBLISHED_FACTS},
        "history": to_json(run.read_history()),
        "evaluation": evaluation,
        "audit": json.loads(run.audit_file.read_text(encoding="utf-8"))
        if run.audit_file.is_file()
        else None,
    }


def finished(work: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names and folders of the runs that were evaluated."""
    for group in _GROUPS:
        for path in sorted((work / group).glob("*/evaluation/evaluation.json")):
            folder = path.parents[1]
            yield f"{group}-{folder.name}", folder


class MeanOfRuns:
    """The mean of several runs' statistics on the same images: what a run reaches on average.

    Parameters
    ----------
    runs : sequence of ImageStatistics
        A run each.
    """

    def __init__(self, runs: Sequence[ImageStatistics]) -> None:
        self._runs = runs

    @property
    def num_patients(self) -> int:
        """How many patients there are."""
        return self._runs[0].num_patients

    def __call__(self, counts: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        """Average each value over the runs, draw by draw."""
        values_of_runs = [run(counts) for run in self._runs]
        return {
            name: np.mean([values[name] for values in values_of_runs], axis=0)
            for name in values_of_runs[0]
        }

    def patients_behind(self, name: str) -> int:
        """Return how many patients each of the runs has behind a value."""
        return self._runs[0].patients_behind(name)

    def parts_of(self, name: str) -> tuple[str, ...]:
        """Return the values of classes whose mean is `name`."""
        return self._runs[0].parts_of(name)


def arms_compared(work: Path) -> list[dict[str, Any]]:
    """Compare each arm with the raw one, seed by seed and on the average of the seeds.

    Differences are the arm's less raw's. Intervals come from drawing patients, the same for both
    arms and all seeds; they say nothing of other seeds, as the values of single seeds do.
    """
    comparisons = []
    read = functools.cache(_sets)
    for arm, name in itertools.product(("enhanced", "bold", "pad"), ("test", "external")):
        sets = {
            seed: [
                read(work / "arms" / f"{arm_or_raw}-{seed}")[name].outcomes()
                for arm_or_raw in (arm, "raw")
            ]
            for seed in _seeds(work, arm)
        }
        if not sets:
            continue
        _check_alike(work, arm, list(sets))
        first, second = (
            measure(MeanOfRuns([ImageStatistics(pair[place]) for pair in sets.values()]))
            for place in (0, 1)
        )
        comparisons.append(
            {
                "arm": arm,
                "set": name,
                "images": len(next(iter(sets.values()))[0].targets),
                "seeds": {
                    seed: {
                        "accuracy": [_accuracy(outcomes) for outcomes in pair],
                        "mcnemar": to_json(
                            mcnemar(*(o.predicted == o.targets for o in pair), pair[0].patients)
                        ),
                    }
                    for seed, pair in sets.items()
                },
                **{
                    value: {
                        "arm": to_json(first.measured(value)),
                        "raw": to_json(second.measured(value)),
                        "difference": to_json(difference(first, second, value)),
                    }
                    for value in ("accuracy", "balanced_accuracy")
                },
            }
        )
    return comparisons


def _config(folder: Path) -> RunConfig:
    return RunFolder(path=folder).read_config()


def _check_alike(work: Path, arm: str, seeds: Sequence[int]) -> None:
    """Raise ValueError unless runs differ in their seed and in what makes their arm alone."""
    settings = set()
    for seed, arm_or_raw in itertools.product(seeds, (arm, "raw")):
        config = _config(work / "arms" / f"{arm_or_raw}-{seed}").with_setting("training.seed", 0)
        for name, common_value in (
            ("enhance", None),
            ("order", "resize-first"),
            ("fit", "squash"),
            ("crop_border", False),
            ("cache_dir", None),
        ):
            config = config.with_setting(f"data.{name}", common_value)
        settings.add(config.to_json())
    if len(settings) > 1:
        raise ValueError(
            f"`{work}` must hold arms of equal settings; those of {arm} and raw differ in more "
            "than enhancement and seed. Delete what was trained otherwise."
        )


def _seeds(work: Path, arm: str) -> list[int]:
    """List the seeds with which both an arm and raw were evaluated."""
    seeds_of_arms = [
        {int(p.parents[1].name.rpartition("-")[2]) for p in (work / "arms").glob(pattern)}
        for pattern in (f"{name}-*/evaluation/evaluation.json" for name in (arm, "raw"))
    ]
    return sorted(set.intersection(*seeds_of_arms))


def _sets(folder: Path) -> dict[str, Predictions]:
    return {predictions.name: predictions for predictions in stored_sets(folder)}


def _accuracy(outcomes: Outcomes) -> float:
    return float((outcomes.predicted == outcomes.targets).mean())


def source_results(folder: Path) -> dict[str, Any]:
    """Return how well a run of adults tells each COVID-19 source from NIH's adults, on its test.

    ``roc_auc``; ``found``, the share found where at most a tenth of NIH's is called COVID-19; and
    how much of the source the run was trained on.
    """
    sets = _sets(folder)
    test, train = sets["test"], sets["train"].manifest.records
    sources = np.array([record.source for record in test.manifest.records])
    scores = test.logits[:, 1] - test.logits[:, 0]
    control_scores = np.sort(scores[sources == _CONTROLS])
    count = len(control_scores)
    threshold = control_scores[count - count // 10 - 1]  # at most a tenth lies above
    results = {}
    for source in sorted(set(sources) - {_CONTROLS}):
        source_scores = scores[sources == source]
        all_scores = np.concatenate([source_scores, control_scores])
        training_records = [record for record in train if record.source == source]
        is_of_source = np.arange(len(all_scores)) < len(source_scores)
        area, _ = delong(
            is_of_source, all_scores, all_scores, np.arange(len(all_scores))
        ).areas or (None, None)
        results[source] = {
            "images": len(source_scores),
            "patients": len({r.patient for r in test.manifest.records if r.source == source}),
            "roc_auc": area,
            "found": float((source_scores > threshold).mean()),
            "false_alarms": float((control_scores > threshold).mean()),
            "trained_images": len(training_records),
            "trained_patients": len({record.patient for record in training_records}),
        }
    return results


def throughput(work: Path) -> dict[str, Any]:
    """Return the measured input rates, and an epoch's seconds with features and without."""
    folder = work / "throughput"
    documents: dict[str, Any] = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }
    for views, name in ((0, "epoch_frozen"), (1, "epoch_features")):
        run = folder / f"features-{views}"
        if (run / "history.csv").is_file():
            seconds = [row.seconds for row in RunFolder(path=run).read_history()]
            documents[name] = statistics.median(seconds[1:])  # the first one builds the graph
    return documents


def main(work: Path, results: Path) -> None:
    """Write a file a run, the comparisons and the throughput."""
    results.mkdir(parents=True, exist_ok=True)
    runs = dict(finished(work))
    documents = {
        **{name: published_run(folder) for name, folder in runs.items()},
        "comparisons": arms_compared(work),
        "sources": {
            folder.name: source_results(folder)
            for name, folder in runs.items()
            if name.startswith("sources-")
        },
        "throughput": throughput(work),
    }
    # Stored documents of which this folder holds nothing stay unchanged.
    documents = {name: document for name, document in documents.items() if document}
    for name, document in documents.items():
        text = json.dumps(document, indent=1, sort_keys=True)
        (results / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(documents)} files in {results.name}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else RESULTS / "study")
