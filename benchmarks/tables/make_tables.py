"""Write the tables of README.md and docs/ from the results in ``benchmarks/results``.

``python -m benchmarks.tables`` replaces the text between the markers
``<!-- bench:begin NAME -->`` and ``<!-- bench:end NAME -->``, and writes ``results/README.md``.
``--check`` writes nothing and exits with 1 if anything would change. ``--targets`` prints every
target with the value of each run and exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.core.sixteen_bit_tables import TABLES as SIXTEEN_BIT_TABLES
from benchmarks.evaluation.tables import coverage_table
from benchmarks.files.check_tables import TABLES as CHECK_TABLES
from benchmarks.files.estimate_tables import TABLES as ESTIMATE_TABLES
from benchmarks.study.tables import TABLES as STUDY_TABLES
from benchmarks.study.tables import Study
from benchmarks.tables.build import machine_table, table
from benchmarks.tables.formatting import markdown
from benchmarks.tables.results import Runs
from benchmarks.tables.targets import TARGETS
from benchmarks.tables.verdicts import verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "performance",
            "adapters",
            "archives",
            "models",
            "study",
            "evaluation",
            "sixteen-bit",
            "should-i-use-it",
        )
    ),
)
_MARKED = re.compile(
    r"(?P<begin><!-- bench:begin (?P<name>[\w-]+) -->\n).*?(?P<end><!-- bench:end (?P=name) -->)",
    re.DOTALL,
)
_MARKER = re.compile(r"<!-- bench:(?:begin|end) ")


def fill(text: str, runs: Runs, study: Study | None = None) -> str:
    """Return the text of a document with the tables between its markers.

    Raises
    ------
    ValueError
        If a begin or end marker is missing, or a marker names a table without results.
    """
    found = _MARKED.findall(text)
    if 2 * len(found) != len(_MARKER.findall(text)):
        raise ValueError("each `bench:begin NAME` must have its `bench:end NAME`; got one without.")

    def marked(match: re.Match[str]) -> str:
        name = match["name"]
        if name == "coverage":
            made = coverage_table(RESULTS / "evaluation" / "coverage.json")
            return f"{match['begin']}\n{made}\n\n{match['end']}"
        if name in SIXTEEN_BIT_TABLES:
            made = SIXTEEN_BIT_TABLES[name](RESULTS / "core" / "sixteen-bit.json")
            return f"{match['begin']}\n{made}\n\n{match['end']}"
        if name in ESTIMATE_TABLES:
            made = ESTIMATE_TABLES[name](RESULTS / "files" / "archive-estimate.json")
            return f"{match['begin']}\n{made}\n\n{match['end']}"
        if name in CHECK_TABLES:
            made = CHECK_TABLES[name](RESULTS / "files" / "check.json")
            return f"{match['begin']}\n{made}\n\n{match['end']}"
        of_study = study is not None and name in STUDY_TABLES
        made = STUDY_TABLES[name](study) if of_study else table(runs, name)
        return f"{match['begin']}\n{made}\n\n{match['end']}"

    return _MARKED.sub(marked, text)


def results_readme(runs: Runs) -> str:
    """Return the text of ``results/README.md``."""
    rows = [
        (f"`{run.name}`", ", ".join(sorted({entry.table for entry in run.entries.values()})))
        for run in runs.runs
    ]
    return (
        "# Results\n\n"
        "Written by `python -m benchmarks.tables`, like the tables of `README.md` and\n"
        "`docs/performance.md`, from the files beside it. A file is named by the date and the\n"
        "subject of its run; a new run of a subject replaces the former ones.\n\n"
        f"{machine_table(runs)}\n\n"
        "Each is the output of\n"
        "`pytest FILES --benchmark-json=benchmarks/results/DATE-SUBJECT.json`, where FILES are\n"
        "the `bench_NAME.py` of these names:\n\n"
        f"{markdown(['file', 'names'], rows, 2)}\n"
    )


def pages(runs: Runs, results: Path, documents: Sequence[Path]) -> dict[Path, str]:
    """Return the up-to-date text of every page."""
    study = Study(results / "study")
    filled = {path: fill(path.read_text(), runs, study) for path in documents if path.exists()}
    return {**filled, results / "README.md": results_readme(runs)}


def update(wanted: dict[Path, str], *, check: bool) -> list[Path]:
    """Return the pages whose text is not up to date; write these pages unless `check` is true."""
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if not check:
        for path in stale:
            path.write_text(wanted[path])
    return stale


def print_targets(runs: Runs) -> bool:
    """Print every target with its measured values; return whether every run holds all targets."""
    verdicts = [verdict(runs, target) for target in TARGETS]
    for _, sentence in verdicts:
        sys.stdout.write(f"{sentence}\n")
    missed = sum(not held for held, _ in verdicts)
    sys.stdout.write(f"{len(verdicts) - missed} of {len(verdicts)} targets hold.\n")
    return missed == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument(
        "files", nargs="*", type=Path, help="results to read; all of benchmarks/results if none"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    parser.add_argument("--targets", action="store_true", help="judge targets; write nothing")
    options = parser.parse_args(arguments)
    try:
        runs = Runs.load(options.files or RESULTS.glob("*.json"))
        if options.targets:
            return 0 if print_targets(runs) else 1
        stale = update(pages(runs, RESULTS, DOCUMENTS), check=options.check)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in stale:
        word = "disagrees with the results" if options.check else "written"
        sys.stdout.write(f"{path.relative_to(ROOT)}: {word}\n")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
