"""Trimming and reading of stored results; the module imports only the standard library."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# Fields that describe a processor. The record of pytest-benchmark also has a long list of flags.
_CPU_FIELDS = (
    "arch",
    "brand_raw",
    "count",
    "family",
    "hz_advertised_friendly",
    "model",
    "vendor_id_raw",
)
_MACHINE_FIELDS = ("cpu", "machine", "python_implementation", "python_version", "system")
_COMMIT_FIELDS = ("dirty", "id")
_ENTRY_FIELDS = ("extra_info", "fullname", "group", "name")
_STATS_FIELDS = ("iqr", "iterations", "max", "median", "min", "q1", "q3", "rounds")


def trim_machine(machine_info: dict[str, Any]) -> None:
    """Remove fields that identify the machine, in place; keep fields that describe it."""
    _keep(machine_info, _MACHINE_FIELDS)
    _keep(machine_info.get("cpu", {}), _CPU_FIELDS)


def trim(document: dict[str, Any]) -> None:
    """Remove all but medians, quartiles and descriptions from a results document, in place."""
    trim_machine(document["machine_info"])
    _keep(document.get("commit_info", {}), _COMMIT_FIELDS)
    for entry in document["benchmarks"]:
        _keep(entry, (*_ENTRY_FIELDS, "stats"))
        _keep(entry["stats"], _STATS_FIELDS)


def _keep(record: dict[str, Any], fields: Iterable[str]) -> None:
    for field in set(record) - set(fields):
        del record[field]


@dataclass(frozen=True)
class Entry:
    """Result of one contender of one group in one run; times are seconds per call."""

    table: str
    group: str
    contender: str
    median: float
    least: float
    q1: float
    q3: float
    rounds: int
    info: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """Content of one file of results."""

    name: str
    date: str
    machine: dict[str, Any]
    entries: dict[tuple[str, str], Entry]


def load(path: Path) -> Run:
    """Read one file of results.

    Raises
    ------
    ValueError
        If the file is not a results document of these benchmarks.
    """
    try:
        document = json.loads(path.read_text())
        # Entries without a contender were not stored by `record` and belong to no table.
        entries = [
            _entry(stored)
            for stored in document["benchmarks"]
            if "contender" in stored["extra_info"]
        ]
        return Run(
            name=path.name,
            date=document["datetime"][:10],
            machine=document["machine_info"],
            entries={(entry.group, entry.contender): entry for entry in entries},
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path.name} must hold results of `pytest benchmarks`; got {error!r}."
        ) from error


def _entry(stored: dict[str, Any]) -> Entry:
    stats, info = stored["stats"], stored["extra_info"]
    file = Path(stored["fullname"].partition("::")[0])
    return Entry(
        table=file.stem.removeprefix("bench_"),
        group=stored["group"],
        contender=info["contender"],
        median=stats["median"],
        least=stats["min"],
        q1=stats["q1"],
        q3=stats["q3"],
        rounds=stats["rounds"],
        info=info,
    )


@dataclass(frozen=True)
class Runs:
    """All runs that the tables are made from; all come from one machine."""

    runs: tuple[Run, ...]

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Runs:
        """Read result files.

        Raises
        ------
        ValueError
            If there is no file, or the files come from different machines.
        """
        runs = tuple(load(path) for path in sorted(paths))
        if not runs:
            raise ValueError("results must hold at least one file; got none.")
        cpus = sorted({str(run.machine.get("cpu", {}).get("brand_raw")) for run in runs})
        if len(cpus) > 1:
            raise ValueError(f"results must come from one machine; got {', '.join(cpus)}.")
        return cls(runs)

    def groups(self, table: str) -> dict[str, list[str]]:
        """Return the groups of ``bench_<table>.py`` with their contenders, in running order."""
        found: dict[str, list[str]] = {}
        for run in self.runs:
            for entry in run.entries.values():
                if entry.table == table:
                    contenders = found.setdefault(entry.group, [])
                    if entry.contender not in contenders:
                        contenders.append(entry.contender)
        return found

    def entries(self, group: str, contender: str) -> list[Entry]:
        """Return the entries of a contender from all runs that have one."""
        key = (group, contender)
        return [run.entries[key] for run in self.runs if key in run.entries]

    def info(self, group: str, contender: str) -> dict[str, Any]:
        """Return the description of a contender in the first run that has the contender."""
        return self.entries(group, contender)[0].info

    def seconds(self, group: str, contender: str) -> float:
        """Return the median, over the runs, of a contender's median time in seconds."""
        return statistics.median(entry.median for entry in self.entries(group, contender))

    def figures(self, group: str, contender: str, name: str) -> list[float]:
        """Return a value of each run: the median time for "seconds", else `name` of the info."""
        entries = self.entries(group, contender)
        if name == "seconds":
            return [entry.median for entry in entries]
        return [entry.info[name] for entry in entries]

    def ratios(self, group: str, of: str, than: str, figure: str = "median") -> list[float]:
        """Return, for each run that has both contenders, the time of `than` over the time of `of`.

        `figure` is "median" for the median times, or "least" for the shortest times.
        """
        found = []
        for run in self.runs:
            ours, theirs = run.entries.get((group, of)), run.entries.get((group, than))
            if ours and theirs:
                found.append(getattr(theirs, figure) / getattr(ours, figure))
        return found

    def spreads(self, group: str, of: str) -> list[float]:
        """Return, for each run, the largest over the smallest time per megapixel.

        The entries of the group whose contender begins with `of` are compared.
        """
        found = []
        for run in self.runs:
            times = [
                entry.median / entry.info["megapixels"]
                for entry in run.entries.values()
                if entry.group == group and entry.contender.startswith(of)
            ]
            if times:
                found.append(max(times) / min(times))
        return found
