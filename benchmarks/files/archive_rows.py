"""Time and memory of planning, resuming and summarising a run over a long list of files.

``python benchmarks/files/archive_rows.py 1000000 FOLDER`` prints seconds and peak memory as JSON.
The files are empty files made below FOLDER, 1,000 per folder, so that resuming examines real files.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from pathlib import Path

from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.manifest import ManifestWriter
from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.archive.resume import find_pending
from cxr_enhance.archive.sources import read_list
from cxr_enhance.archive.summary import summarise

JOB = Job(params=EnhanceParams())


def prepare(count: int, folder: Path) -> None:
    """Make inputs, outputs, a list and a manifest as after a complete run."""
    with (
        (folder / "list.txt").open("w") as names,
        ManifestWriter(str(folder / "manifest.jsonl"), JOB) as manifest,
    ):
        manifest.add_options(JOB)
        for index in range(count):
            relative = f"p{index // 1000:06}/{index:032x}"
            source, target = folder / "in" / f"{relative}.dcm", folder / "out" / f"{relative}.png"
            if index % 1000 == 0:
                source.parent.mkdir(parents=True)
                target.parent.mkdir(parents=True)
            for path in (source, target):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
            names.write(f"{source}\n")
            status = os.stat(source)
            manifest.add(
                Outcome(
                    str(source), str(target), "exists", input_size=status.st_size,
                    input_mtime_ns=status.st_mtime_ns, output_size=0, seconds=0.05,
                )
            )  # fmt: skip


def memory_mib(name: str) -> float:
    """Return a memory size of this process in MiB.

    The peak of `getrusage` is not used, because it may belong to the process that started this one.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        found = dict(line.split(":") for line in file)
    return int(found[name].split()[0]) / 1024


def reading_cpu_s(manifest: str) -> float:
    """Return the CPU time of reading the rows as JSON, which tells how fast this machine is now."""
    times = []
    for _ in range(3):
        before = time.process_time()
        with open(manifest, "rb") as file:
            for line in file:
                json.loads(line)
        times.append(time.process_time() - before)
    return min(times)


def measure(folder: Path) -> dict[str, float]:
    """Return the times of the three steps, the peak memory, and its growth by the rows."""
    before = memory_mib("VmRSS")
    manifest = str(folder / "manifest.jsonl")
    times, cpu = [time.perf_counter()], time.process_time()
    listed = read_list(str(folder / "list.txt"))
    plan = plan_files([], str(folder / "out"), ".png", listed=listed)
    del listed
    times.append(time.perf_counter())
    work = find_pending(plan.files, [manifest], JOB, overwrite=False, retry_failed=False)
    settled = len(work.settled)
    times.append(time.perf_counter())
    del plan, work
    summarised = sum(summarise([manifest])["files"].values())
    times.append(time.perf_counter())
    cpu = time.process_time() - cpu
    peak = memory_mib("VmHWM")
    plan_s, resume_s, summary_s = (
        round(after - before, 2) for before, after in itertools.pairwise(times)
    )
    return {
        "plan_s": plan_s, "resume_s": resume_s, "summary_s": summary_s,
        "cpu_s": round(cpu, 2), "reading_cpu_s": round(reading_cpu_s(manifest), 3),
        "peak_mib": round(peak), "grown_mib": round(peak - before, 1),
        "settled": settled, "summarised": summarised,
    }  # fmt: skip


if __name__ == "__main__":
    where = Path(sys.argv[2])
    child = os.fork()
    if child == 0:
        prepare(int(sys.argv[1]), where)
        os._exit(0)
    os.waitpid(child, 0)
    sys.stdout.write(json.dumps(measure(where)) + "\n")
