"""How often intervals contain the true value, for few patients and a rare class.

The sets are simulated. A patient has one to four images of one class; the scores of these images
share half of their variance. The number of patients of the rarer class is fixed by the prevalence.
The true value is computed from 200,000 patients, so that its own error is negligible. ``python -m
benchmarks.evaluation.coverage`` writes ``benchmarks/results/evaluation/coverage.json``;
``--quick`` simulates few sets and prints the result.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS, measure
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.metrics import ImageStatistics, Outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

STORED = Path(__file__).parents[1] / "results" / "evaluation" / "coverage.json"
PATIENTS = (10, 20, 30, 50, 100, 200, 300)
PREVALENCES = (0.02, 0.05, 0.1, 0.2, 0.5)
SKILLS = (0.6, 1.2)  # half distance of the mean scores; gives a ROC-AUC of 0.80 and 0.95
VALUES = ("accuracy", "balanced_accuracy", "roc_auc/rare", "recall/rare")
SETS, DRAWS = 500, 200
_NAMES = ("other", "rare")
_MANY = 100_000  # patients of each class from which the true value is computed


def scores(rng: np.random.Generator, ill: npt.NDArray[np.bool_], skill: float) -> Any:
    """Simulate the images of patients; return the patient and the score of each image."""
    images = rng.integers(1, 5, len(ill))
    patients = np.repeat(np.arange(len(ill)), images)
    centre = np.where(ill, skill, -skill)[patients]
    shared = rng.normal(0.0, np.sqrt(0.5), len(ill))[patients]
    noise = rng.normal(0.0, np.sqrt(0.5), len(patients))
    return patients, centre + shared + noise


def outcomes_of(ill: npt.NDArray[np.bool_], patients: Any, score: Floats) -> Outcomes:
    """Return simulated images as the outcomes of a set."""
    logits = np.stack([np.zeros(len(score)), 2.0 * score], axis=1)
    return Outcomes(
        class_names=_NAMES,
        targets=ill[patients].astype(np.int64),
        logits=logits,
        probabilities=softmax(logits),
        patients=patients,
    )


@functools.cache
def recalls(skill: float) -> dict[str, float]:
    """Return the values of a model on 200,000 patients, half of them of the rarer class."""
    ill = np.arange(2 * _MANY) < _MANY
    patients, score = scores(np.random.default_rng(0), ill, skill)
    return measure(ImageStatistics(outcomes_of(ill, patients, score)), draws=1).values


def truth(skill: float, prevalence: float) -> dict[str, float]:
    """Return the true values of a model for a prevalence of the rarer class.

    Only the accuracy depends on the prevalence.
    """
    values = recalls(skill)
    share = prevalence * values["recall/rare"] + (1 - prevalence) * values["recall/other"]
    return {**{name: values[name] for name in VALUES}, "accuracy": share}


def cell(patients: int, rare: int, skill: float, sets: int) -> dict[str, Any]:
    """Simulate sets of one size; return how often intervals exist and contain the true value."""
    ill = np.arange(patients) < rare
    true = truth(skill, rare / patients)
    held: dict[str, list[bool]] = {name: [] for name in VALUES}
    for number in range(sets):
        rng = np.random.default_rng([number, patients, rare, round(100 * skill)])
        outcomes = outcomes_of(ill, *scores(rng, ill, skill))
        # With fewer patients there is no interval of ROC-AUC, so ranks are not needed.
        statistics = ImageStatistics(outcomes, ranks=rare >= FEWEST_PATIENTS)
        measured = measure(statistics, draws=DRAWS, seed=number)
        for name in VALUES:
            interval, _ = measured.interval(name)
            if interval is not None:
                held[name].append(interval[0] <= true[name] <= interval[1])
    return {
        "patients": patients,
        "rare": rare,
        "area": round(true["roc_auc/rare"], 3),
        "given": {name: len(h) / sets for name, h in held.items()},
        "held": {name: float(np.mean(h)) if h else None for name, h in held.items()},
    }


def _cell(job: tuple[int, int, float], sets: int) -> dict[str, Any]:
    return cell(*job, sets)


def cells() -> list[tuple[int, int, float]]:
    """Return the numbers of patients, of patients of the rarer class, and the skills to simulate.

    Sizes without a patient of the rarer class are left out.
    """
    return [
        (patients, rare, skill)
        for patients in PATIENTS
        for prevalence in PREVALENCES
        for skill in SKILLS
        if (rare := round(patients * prevalence)) > 0
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate all sets, and write or print the result."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few sets; print, write nothing")
    parser.add_argument("--sets", type=int, default=SETS)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=STORED)
    options = parser.parse_args(arguments)
    if options.quick:
        found = [cell(patients, patients // 4, 0.6, 100) for patients in (40, 80)]
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return 0
    with ProcessPoolExecutor(options.workers) as pool:
        found = list(pool.map(functools.partial(_cell, sets=options.sets), cells()))
    result = {"sets": options.sets, "draws": DRAWS, "cells": found}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
