"""Stored results: trimmed when written, read back as runs of entries. No third-party imports."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# What describes a processor; the rest of its record is a page of flags.
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
    """Keep what describes the machine and drop what names it, in place."""
    _keep(machine_info, _MACHINE_FIELDS)
    _keep(machine_info.get("cpu", {}), _CPU_FIELDS)


def trim(document: dict[str, Any]) -> None:
    """Keep medians, quartiles and descriptions of a results document, in place."""
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
    """One contender of one group in one run; times in seconds a call."""

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
    """One file of results."""

    name: str
    date: str
    machine: dict[str, Any]
    entries: dict[tuple[str, str], Entry]


def load(path: Path) -> Run:
    """Read one file of results.

    Raises
    ------
    ValueError
        If the file is no results document of this suite.
    """
    try:
        document = json.loads(path.read_text())
        # Entries that name no contender were stored without `record` and belong to no table.
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
    """All runs that the tables are made from; several of one machine, or one alone."""

    runs: tuple[Run, ...]

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Runs:
        """Read result files.

        Raises
        ------
        ValueError
            If there is none, or they come from different machines.
        """
        runs = tuple(load(path) for path in sorted(paths))
        if not runs:
            raise ValueError("results must hold at least one file; got none.")
        cpus = sorted({str(run.machine.get("cpu", {}).get("brand_raw")) for run in runs})
        if len(cpus) > 1:
            raise ValueError(f"results must come from one machine; got {', '.join(cpus)}.")
        return cls(runs)

    def groups(self, table: str) -> dict[str, list[str]]:
        """Name the groups of ``bench_<table>.py`` and the contenders of each, in running order."""
        found: dict[str, list[str]] = {}
        for run in self.runs:
            for entry in run.entries.values():
                if entry.table == table:
                    contenders = found.setdefault(entry.group, [])
                    if entry.contender not in contenders:
                        contenders.append(entry.contender)
        return found

    def entries(self, group: str, contender: str) -> list[Entry]:
        """List what each run that has it says of a contender."""
        key = (group, contender)
        return [run.entries[key] for run in self.runs if key in run.entries]

    def info(self, group: str, contender: str) -> dict[str, Any]:
        """Give the description of a contender, as the first run has it."""
        return self.entries(group, contender)[0].info

    def seconds(self, group: str, contender: str) -> float:
        """Give the median over the runs of a contender's median time."""
        return statistics.median(entry.median for entry in self.entries(group, contender))

    def figures(self, group: str, contender: str, name: str) -> list[float]:
        """List a figure of each run: "seconds", or what ``extra_info`` calls `name`."""
        entries = self.entries(group, contender)
        if name == "seconds":
            return [entry.median for entry in entries]
        return [entry.info[name] for entry in entries]

    def ratios(self, group: str, of: str, than: str, figure: str = "median") -> list[float]:
        """List, of each run that has both, how many times faster `of` is than `than`.

        `figure` is "median", or "least" for the least disturbed round of each.
        """
        found = []
        for run in self.runs:
            ours, theirs = run.entries.get((group, of)), run.entries.get((group, than))
            if ours and theirs:
                found.append(getattr(theirs, figure) / getattr(ours, figure))
        return found

    def spreads(self, group: str, of: str) -> list[float]:
        """List, of each run, the largest over the smallest time per megapixel of `of`'s entries."""
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
