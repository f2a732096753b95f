"""Markdown tables made from stored results; every number in them is a stored result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.harness.machine import IN_CHAIN, SIDE_BY_SIDE
from benchmarks.tables.formatting import (
    duration,
    markdown,
    percent,
    significant,
    span,
    split,
    times,
)
from benchmarks.tables.targets import (
    MIB,
    MODEL_TARGETS,
    ONE_THREAD,
    ONE_WORKER,
    OPENCV_ONE_THREAD,
    OPENCV_POOL,
    OPENCV_WORKER,
    OPENCV_WORKERS,
    OURS,
    TARGETS,
    TWO_THREADS,
    TWO_WORKERS,
    Adds,
    Faster,
)
from benchmarks.tables.verdicts import bound, figures_of, holds, title, writer, writer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.tables.results import Runs

# Groups of the README's table: functions that users call, and the code that they replace.
_SUMMARY_GROUPS = (
    "clahe|uint8 1024x1024, 16x16 tiles",
    "clahe|uint8 2048x2500, 8x8 tiles",
    "clahe|uint8 224x224, 8x8 tiles",
    "clahe|uint16 2048x2500, 12-bit content, 8x8 tiles",
    "clahe|uint16 2048x2500, 16-bit content, 8x8 tiles",
    "enhance|uint8 1024x1024, one channel",
    "enhance|uint8 1024x1024, three equal channels",
    "enhance|uint8 1024x1024, three unequal channels",
)

_TWO_AND_ONE = (
    (TWO_THREADS, ONE_THREAD),
    (OPENCV_POOL, OPENCV_ONE_THREAD),
    (TWO_WORKERS, ONE_WORKER),
    (OPENCV_WORKERS, OPENCV_WORKER),
    IN_CHAIN,
    SIDE_BY_SIDE,
)
_YARDSTICKS = (*IN_CHAIN, *SIDE_BY_SIDE)  # only compared with each other


def ours_of(contenders: Sequence[str]) -> str | None:
    """Return the name of our contender: `OURS`, or else the first name that begins with `OURS`."""
    if OURS in contenders:
        return OURS
    return next((name for name in contenders if name.startswith(OURS)), None)


def contenders_table(runs: Runs, table: str) -> str:
    """Return a table with a row for each contender that ours is compared with."""
    return _against(runs, runs.groups(table))


def _against(runs: Runs, groups: dict[str, list[str]]) -> str:
    head = ["operation", "on", "our time", "against", "its time", "ours is times as fast"]
    ruler = ["---", "---", "---:", "---", "---:", "---:"]
    return markdown(head, _contender_rows(runs, groups), ruler)


def _contender_rows(runs: Runs, groups: dict[str, list[str]]) -> Iterable[Sequence[str]]:
    for group, contenders in groups.items():
        operation, image = split(group)
        ours = ours_of(contenders)
        if ours is None:
            continue
        others = [name for name in contenders if name not in (ours, *_YARDSTICKS)]
        own = duration(runs.seconds(group, ours))
        if not others:
            yield operation, image, own, "", "", ""
        for other in others:
            ratios = runs.ratios(group, ours, other)
            if not ratios:
                continue
            theirs = duration(runs.seconds(group, other))
            yield operation, image, own, other, theirs, span(ratios, times)


def summary_table(runs: Runs) -> str:
    """Return the table of the README."""
    groups = runs.groups("operations")
    chosen = {group: groups[group] for group in _SUMMARY_GROUPS if group in groups}
    return _against(runs, chosen)


def peers_table(runs: Runs) -> str:
    """Return a table of other libraries' times and of their largest difference to OpenCV."""
    head = ["image", "library", "time", "its time over ours", "levels off OpenCV, at most"]
    rows = []
    for group, contenders in runs.groups("peers").items():
        for contender in contenders:
            info = runs.info(group, contender)
            ratios = runs.ratios(group, OURS, contender)
            rows.append(
                (
                    split(group)[1],
                    _with_versions(contender, info),
                    duration(runs.seconds(group, contender)),
                    span(ratios, times) if ratios else "",
                    str(info["largest_difference"]),
                )
            )
    return markdown(head, rows, 2)


def _with_versions(contender: str, info: dict[str, dict[str, str]]) -> str:
    versions = info["versions"]
    package = {OURS: OURS, "OpenCV": "opencv", "Keras layer": "keras"}.get(contender, contender)
    return f"{contender} {versions[package]}" if package in versions else contender


def batch_table(runs: Runs) -> str:
    """Return a table of images per second, and of the speed of our two threads over the others."""
    head = [
        "operation",
        "on",
        "contender",
        "images/s",
        "megapixels/s",
        "ours on 2 threads is times as fast",
    ]
    rows = []
    for group, contenders in runs.groups("batch").items():
        ours = ours_of(contenders)
        for contender in contenders:
            if contender in _YARDSTICKS:
                continue
            info, seconds = runs.info(group, contender), runs.seconds(group, contender)
            ratios = runs.ratios(group, ours, contender) if ours else []
            rows.append(
                (
                    *split(group),
                    contender,
                    significant(info["images"] / seconds),
                    significant(info["pixels"] / seconds / 2**20),
                    span(ratios, times) if contender != ours and ratios else "",
                )
            )
    return markdown(head, rows, 3)


def threads_table(runs: Runs) -> str:
    """Return a table of the speed-up by a second thread: for ours, OpenCV and plain arithmetic."""
    head = ["operation", "on", "whose", "2 threads over 1, medians", "least disturbed rounds"]
    rows = [
        (*split(group), two.partition(",")[0], *(span(ratios, times) for ratios in found))
        for group in (*runs.groups("batch"), *runs.groups("adapters"))
        for two, one in _TWO_AND_ONE
        if all(found := (runs.ratios(group, two, one), runs.ratios(group, two, one, "least")))
    ]
    return markdown(head, rows, 3)


def kernels_table(runs: Runs) -> str:
    """Return a table of the times of kernels and their stages, and of the yardsticks."""
    groups = runs.groups("kernels")
    head = [
        "part",
        *(f"{split(group)[1]}, {unit}" for group in groups for unit in ("ms", "ns a pixel")),
    ]
    names: list[str] = []
    for contenders in groups.values():
        names += [name for name in contenders if name not in names]
    rows = []
    for name in names:
        cells = [name]
        for group in groups:
            seconds, pixels = runs.seconds(group, name), runs.info(group, name)["pixels"]
            cells += [significant(seconds * 1e3), significant(seconds * 1e9 / pixels)]
        rows.append(cells)
    return markdown(head, rows, 1)


def latency_table(runs: Runs) -> str:
    """Return a table of the times of imports and first calls in new processes."""
    head = ["process", "state", "contender", "time"]
    rows = [
        (*split(group), contender, span(runs.figures(group, contender, "seconds"), duration))
        for group, contenders in runs.groups("import").items()
        for contender in contenders
    ]
    return markdown(head, rows, 3)


def cost_table(runs: Runs) -> str:
    """Return a table of time per megapixel and of memory besides the output, by image size."""
    head = [
        "operation",
        "megapixels",
        "contender",
        "ms a megapixel",
        "memory beside the output, MiB",
    ]
    memory = {
        (split(group)[0].removeprefix("peak memory of "), contender, info["megapixels"]): max(
            runs.figures(group, contender, "bytes_beside_output")
        )
        for group, contenders in runs.groups("memory").items()
        for contender in contenders
        for info in [runs.info(group, contender)]
    }
    rows = []
    for group, contenders in runs.groups("scaling").items():
        operation = split(group)[0].removeprefix("scaling of ")
        for contender in contenders:
            size = runs.info(group, contender)["megapixels"]
            who = contender.partition(",")[0]
            beside = memory.get((operation, who, size))
            rows.append(
                (
                    operation,
                    f"{size:.0f}",
                    who,
                    significant(runs.seconds(group, contender) * 1e3 / size),
                    "" if beside is None else f"{beside / MIB:.1f}",
                )
            )
    return markdown(head, rows, 3)


def targets_table(runs: Runs) -> str:
    """Return a table of all targets and their measured values."""
    head = ["what", "target", "aim", "measured", "held in"]
    rows = []
    for target in TARGETS:
        measured = figures_of(runs, target)
        held = sum(holds(target, figure) for figure in measured)
        rows.append(
            (
                title(target),
                bound(target),
                times(target.aim) if isinstance(target, Faster) else "",
                span(measured, writer(target)) if measured else "not measured",
                f"{held} of {len(measured)} runs",
            )
        )
    return markdown(head, rows, 2)


def models_table(runs: Runs) -> str:
    """Return a table of times of parts of the models, of their contenders, and of their targets."""
    head = ["what", "on", "ours", "against", "its", "ours is", "target"]
    measured = {
        group: contenders
        for name in ("models_pipeline", "models_features", "models_duplicates")
        for group, contenders in runs.groups(name).items()
    }
    rows: list[Sequence[str]] = []
    for group, contenders in measured.items():
        asked = next((bound(target) for target in MODEL_TARGETS if target.group == group), "")
        ours, *others = contenders
        quantity = "waiting_share" if "waiting_share" in runs.info(group, ours) else "seconds"
        own, *theirs = (
            span(runs.figures(group, name, quantity), writer_of(quantity)) for name in contenders
        )
        for other, its in zip(others or [""], theirs or [""], strict=True):
            compared = _compared(runs, group, ours, other) if quantity == "seconds" else ""
            rows.append((*split(group), own, other, its, compared, asked))
    rows += [
        (*split(target.group), "not measured", "", "", "", bound(target))
        for target in MODEL_TARGETS
        if target.group not in measured
    ]
    return markdown(head, rows, ["---", "---", "---:", "---", "---:", "---:", "---"])


def _compared(runs: Runs, group: str, ours: str, other: str) -> str:
    """Return the additional time of ours if the target is `Adds`, else the speed ratio of ours."""
    adds = (target for target in MODEL_TARGETS if target.group == group)
    target = next((one for one in adds if isinstance(one, Adds)), None)
    if target is not None:
        return f"{span(figures_of(runs, target), percent)} more"
    ratios = runs.ratios(group, ours, other)
    return f"{span(ratios, times)} as fast" if ratios else ""


def machine_table(runs: Runs) -> str:
    """Return a table of the machine, the versions and the dates of the runs."""
    first = runs.runs[0]
    cpu = first.machine.get("cpu", {})
    versions: dict[str, str] = {}
    for run in runs.runs:
        for entry in run.entries.values():
            versions.update(entry.info.get("versions", {}))
    rows = [
        ("processor", str(cpu.get("brand_raw", "unknown"))),
        ("family, model", f"{cpu.get('family', '?')}, {cpu.get('model', '?')}"),
        ("CPUs", str(cpu.get("count", "unknown"))),
        ("system", f"{first.machine.get('system')} {first.machine.get('machine')}"),
        ("Python", str(first.machine.get("python_version"))),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
        ("dates", ", ".join(sorted({run.date for run in runs.runs}))),
    ]
    return markdown(["", ""], rows, 2)


_SPECIAL: dict[str, Callable[[Runs], str]] = {
    "summary": summary_table,
    "peers": peers_table,
    "batch": batch_table,
    "threads": threads_table,
    "kernels": kernels_table,
    "import": latency_table,
    "cost": cost_table,
    "targets": targets_table,
    "models": models_table,
    "machine": machine_table,
}


def table(runs: Runs, name: str) -> str:
    """Return the table `name`: a special table, or the contenders of ``bench_<name>.py``.

    Raises
    ------
    ValueError
        If there is no table of this name, or no results for it.
    """
    if name in _SPECIAL:
        return _SPECIAL[name](runs)
    if not runs.groups(name):
        raise ValueError(f"a table must be of something measured; got {name!r}.")
    return contenders_table(runs, name)
