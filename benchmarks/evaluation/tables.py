"""The table of docs/evaluation.md on how often intervals contain the true value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.tables.formatting import markdown

if TYPE_CHECKING:
    from pathlib import Path

_COLUMNS = {
    "accuracy": "accuracy",
    "balanced accuracy": "balanced_accuracy",
    "ROC-AUC": "roc_auc/rare",
    "recall of the rarer class": "recall/rare",
}


def coverage_table(stored: Path) -> str:
    """Return a table with a row for each size and number of patients of the rarer class.

    Parameters
    ----------
    stored : Path
        File that `benchmarks.evaluation.coverage` wrote.
    """
    sizes: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for cell in json.loads(stored.read_text(encoding="utf-8"))["cells"]:
        sizes.setdefault((cell["patients"], cell["rare"]), []).append(cell)
    rows = [
        (
            str(patients),
            f"{rare} ({rare / patients:.0%})",
            *(_share([cell["held"][name] for cell in cells]) for name in _COLUMNS.values()),
        )
        for (patients, rare), cells in sizes.items()
    ]
    return markdown(["patients", "of the rarer class", *_COLUMNS], rows, 0)


def _share(held: list[float | None]) -> str:
    """Return the mean share over the models as text; "none given" if no interval exists."""
    shares = [share for share in held if share is not None]
    return f"{sum(shares) / len(shares):.2f}" if shares else "none given"
