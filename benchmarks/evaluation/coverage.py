"""How often intervals hold the truth, where patients are few and a class is rare.

Simulated sets: a patient has one to four images of one class, whose scores share half of their
variance; so many patients of the rarer class as the prevalence says, whose number is fixed. The
truth is that of as many images as make its own error nothing. ``python -m
benchmarks.evaluation.coverage`` writes ``benchmarks/results/evaluation/coverage.json``;
``--quick`` simulates few sets and prints what it found.
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
SKILLS = (0.6, 1.2)  # areas of 0.80 and 0.95
VALUES = ("accuracy", "balanced_accuracy", "roc_auc/rare", "recall/rare")
SETS, DRAWS = 500, 200
_NAMES = ("other", "rare")
_MANY = 100_000  # patients that the truth is taken of, of each class


def scores(rng: np.random.Generator, ill: npt.NDArray[np.bool_], skill: float) -> Any:
    """Return for each image of those patients its patient and its score."""
    images = rng.integers(1, 5, len(ill))
    patients = np.repeat(np.arange(len(ill)), images)
    centre = np.where(ill, skill, -skill)[patients]
    shared = rng.normal(0.0, np.sqrt(0.5), len(ill))[patients]
    noise = rng.normal(0.0, np.sqrt(0.5), len(patients))
    return patients, centre + shared + noise


def outcomes_of(ill: npt.NDArray[np.bool_], patients: Any, score: Floats) -> Outcomes:
    """Return a set of images as it is judged."""
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
    """Return the values of a model on patients without end, half of them ill."""
    ill = np.arange(2 * _MANY) < _MANY
    patients, score = scores(np.random.default_rng(0), ill, skill)
    return measure(ImageStatistics(outcomes_of(ill, patients, score)), draws=1).values


def truth(skill: float, prevalence: float) -> dict[str, float]:
    """Return the same where that share of the patients is ill."""
    values = recalls(skill)
    share = prevalence * values["recall/rare"] + (1 - prevalence) * values["recall/other"]
    return {**{name: values[name] for name in VALUES}, "accuracy": share}


def cell(patients: int, rare: int, skill: float, sets: int) -> dict[str, Any]:
    """Simulate sets of one size, and count how often intervals are given and hold the truth."""
    ill = np.arange(patients) < rare
    true = truth(skill, rare / patients)
    held: dict[str, list[bool]] = {name: [] for name in VALUES}
    for number in range(sets):
        rng = np.random.default_rng([number, patients, rare, round(100 * skill)])
        outcomes = outcomes_of(ill, *scores(rng, ill, skill))
        statistics = ImageStatistics(outcomes, ranks=rare >= FEWEST_PATIENTS)  # else none is given
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
    """Return sizes, patients of the rarer class among them, and skills; none without a patient."""
    return [
        (patients, rare, skill)
        for patients in PATIENTS
        for prevalence in PREVALENCES
        for skill in SKILLS
        if (rare := round(patients * prevalence)) > 0
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, and keep or print what was found."""
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
    told = {"sets": options.sets, "draws": DRAWS, "cells": found}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
