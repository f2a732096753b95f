"""Records of the spread of values over runs that differ only in the seed."""

from __future__ import annotations

from dataclasses import dataclass, field

from cxr_models._typed_json import WRITTEN, Integer
from cxr_models.evaluation.measured import Interval

_TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "macro_roc_auc": "macro ROC-AUC",
    "mean_roc_auc": "mean ROC-AUC",
    "mean_pr_auc": "mean PR-AUC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverSeeds:
    """One value over several runs: its mean, its spread, and the interval of the mean."""

    mean: float | None = field(default=None, metadata=WRITTEN)
    sd: float | None = field(default=None, metadata=WRITTEN)  # sample standard deviation
    lowest: float | None = field(default=None, metadata=WRITTEN)
    highest: float | None = field(default=None, metadata=WRITTEN)
    interval: Interval | None = field(default=None, metadata=WRITTEN)  # over seeds and patients
    reason: str = ""  # why there is no value or no interval

    def __post_init__(self) -> None:
        if None in (self.mean, self.interval) and not self.reason:
            raise ValueError("`reason` is missing where there is no value or no interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSpread:
    """The values on one set of several runs that differ only in the seed."""

    set: str  # name of the set
    seeds: dict[str, Integer]  # the seed of each run
    images: int
    patients: int
    over: tuple[str, ...] = ()  # findings over which means are taken; empty for runs with classes
    values: dict[str, OverSeeds]

    def titled(self) -> tuple[tuple[str, OverSeeds], ...]:
        """Return the values and their titles, in the order in which they are shown."""
        return tuple(
            (_TITLES.get(name, f"ROC-AUC of {name.partition('/')[2]}"), value)
            for name, value in self.values.items()
        )
