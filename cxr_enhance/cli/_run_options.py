"""Conversion of the options of a run to the record of its settings, which checks the options.

This module contains no defaults; the records contain them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance.archive.plan import Shard
from cxr_enhance.archive.samples.containers import CONTAINERS
from cxr_enhance.archive.samples.plan import SampleOptions
from cxr_enhance.archive.samples.records import read_records
from cxr_enhance.archive.settings import Settings
from cxr_enhance.archive.sources import read_list
from cxr_enhance.cli._folders import check_folders
from cxr_enhance.cli._job_options import typed_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.settings import EngineName


def check_run(
    inputs: Sequence[str],
    list_file: str | None,
    records_file: str | None,
    column: str | None,
    engine: EngineName,
    scheduler: str | None,
    threads: int | None,
) -> None:
    """Check that options do not contradict each other, for an output folder or one output image.

    Raises
    ------
    ValueError
        If options contradict each other, no input is given, or `threads` is below 1. The message
        names an option.
    """
    if not inputs and list_file is None and records_file is None:
        raise ValueError("`INPUT`, `--from` or `--records` must be given.")
    if column is not None and list_file is None and records_file is None:
        raise ValueError(
            f"`--column` is only allowed with --from or --records; got {column!r}, and no list."
        )
    if records_file is not None and list_file is not None:
        raise ValueError("`--records` must not be given with --from: it is a list itself.")
    if scheduler is not None and engine != "dask":
        raise ValueError(
            f"`--scheduler` is only allowed with --engine dask; got --engine {engine}."
        )
    if scheduler is not None and threads is not None:
        raise ValueError(
            "`--threads` must not be given with --scheduler, whose workers have their own."
        )
    check_threads(threads)


def check_threads(threads: int | None) -> None:
    """Check a number of threads; None means all usable CPUs.

    Raises
    ------
    ValueError
        If `threads` is less than 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(
            f"`--threads` must be at least 1; got {threads}. Leave it out to use every usable CPU."
        )


def samples_of(
    inputs: Sequence[str],
    *,
    output_format: str | None,
    records_file: str | None,
    column: str | None,
    samples_per_file: int | None,
) -> SampleOptions | None:
    """Return the options of WebDataset or TFRecord files; None for other formats.

    Raises
    ------
    ValueError
        If an option is out of range, or two contradict each other.
    OSError
        If the table cannot be read.
    """
    if output_format not in CONTAINERS:
        for name, value in (("--records", records_file), ("--samples-per-file", samples_per_file)):
            if value is not None:
                raise ValueError(
                    f"`{name}` is only allowed with --format {' or '.join(CONTAINERS)}; got "
                    f"--format {output_format or 'png'}."
                )
        return None
    records = None
    if records_file is not None:
        if len(inputs) > 1 or not all(map(os.path.isdir, inputs)):
            raise ValueError(
                "`INPUT` must be one folder, where the names in --records start, or be left out; "
                f"got {', '.join(map(repr, inputs))}."
            )
        records = read_records(records_file, column, *inputs)
    container = next(name for name in CONTAINERS if name == output_format)
    return SampleOptions(
        container=container, **typed_options(samples_per_file=samples_per_file, records=records)
    )


def settings_of(
    *,
    inputs: Sequence[str],
    list_file: str | None,
    column: str | None,
    out: str,
    job: Job,
    threads: int | None,
    engine: EngineName,
    scheduler: str | None,
    overwrite: bool,
    retry_failed: bool,
    manifest: str | None,
    shard: str | None,
    flat_names: bool,
    samples: SampleOptions | None,
) -> Settings:
    """Return the checked settings of a run into a folder.

    Raises
    ------
    ValueError
        If an option is out of range, or two contradict each other.
    OSError
        If the list cannot be read.
    """
    listed = () if list_file is None else read_list(list_file, column)
    if samples is not None and samples.records is not None:
        inputs, listed = (), samples.records.files
    settings = Settings(
        inputs=inputs,
        listed=listed,
        out=out,
        job=job,
        num_workers=usable_cpus() if threads is None else threads,
        engine=engine,
        scheduler=scheduler,
        overwrite=overwrite,
        retry_failed=retry_failed,
        manifest=manifest,
        shard=shard_of(shard),
        flat_names=flat_names,
        samples=samples,
    )
    check_folders(settings)
    return settings.with_absolute_paths() if engine == "dask" else settings


def shard_of(text: str | None) -> Shard | None:
    """Parse ``I/N``, the number of a shard and the number of all shards.

    If `text` is None, the shard is the position of the task in a Slurm array. Outside of a Slurm
    array the result is None, which means all files.

    Raises
    ------
    ValueError
        If `text` does not have that form, or the number of the Slurm task is outside of its array.
    """
    if text is None:
        return _slurm_shard()
    parts = re.fullmatch(r"(\d+)/(\d+)", text)
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise ValueError(f"`--shard` must be I/N with 1 <= I <= N; got {text!r}.")
    return Shard(int(parts[1]), int(parts[2]))


def _slurm_shard() -> Shard | None:
    names = ("TASK_ID", "TASK_COUNT", "TASK_MIN", "TASK_STEP")
    values = [os.environ.get(f"SLURM_ARRAY_{name}", "") for name in names]
    task, count, first, step = (int(text) if text.isdecimal() else None for text in values)
    if task is None or count is None:
        return None
    # A user can choose the number of the first task of an array. If Slurm does not state it, 1 is
    # assumed.
    first = 1 if first is None else first
    step = max(step or 1, 1)
    number = (task - first) // step + 1
    if not 1 <= number <= count:
        raise ValueError(
            f"`SLURM_ARRAY_TASK_ID` must lie in an array of {count} tasks from {first}; got {task}."
            " Say --shard I/N."
        )
    return Shard(number, count)
