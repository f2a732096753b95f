"""Results documents in the format of pytest-benchmark, with values chosen by the test."""

from __future__ import annotations

import json

from benchmarks.tables.results import Runs


def document(medians, *, figures=None, table="operations", cpu="A CPU"):
    """Return a document from ``{(group, contender): seconds}`` and extra values by the same key."""
    return {
        "machine_info": {
            "node": "a-host-name",
            "release": "6.1.0-of-somebody",
            "machine": "x86_64",
            "system": "Linux",
            "python_version": "3.11.7",
            "cpu": {"brand_raw": cpu, "count": 2, "flags": ["sse2"], "family": 25, "model": 17},
        },
        "commit_info": {"id": "0123abc", "dirty": False, "branch": "a-branch", "project": "a-path"},
        "datetime": "2026-11-23T04:05:06+00:00",
        "version": "5.3.1",
        "benchmarks": [
            {
                "group": group,
                "name": f"bench_it[{contender}]",
                "fullname": f"benchmarks/bench_{table}.py::bench_it[{contender}]",
                "params": {"contender": contender},
                "options": {"timer": "replay"},
                "extra_info": {
                    "contender": contender,
                    "versions": {"numpy": "2.4.6"},
                    "pixels": 2**20,
                    **(figures or {}).get((group, contender), {}),
                },
                "stats": {
                    "data": [seconds] * 20,
                    "min": seconds,
                    "max": seconds,
                    "mean": seconds,
                    "median": seconds,
                    "q1": seconds,
                    "q3": seconds,
                    "iqr": 0.0,
                    "rounds": 20,
                    "iterations": 1,
                },
            }
            for (group, contender), seconds in medians.items()
        ],
    }


def write(path, medians, **options):
    """Write a results document and return its path."""
    path.write_text(json.dumps(document(medians, **options)))
    return path


def runs_of(tmp_path, *all_medians, **options):
    """Load one run for each of `all_medians`."""
    return Runs.load(
        write(tmp_path / f"run-{i}.json", medians, **options)
        for i, medians in enumerate(all_medians, 1)
    )
