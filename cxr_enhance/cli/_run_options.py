"""The options of a run, as typed, to its settings, which check them.

No default is written here: the records hold the defaults.
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
    """Refuse options that contradict each other, for outputs in a folder and for one image.

    Raises
    ------
    ValueError
        If options contradict each other; the sentence names an option.
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
    """Refuse a number of threads below 1; None means every usable CPU.

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
    """Return the options of files of samples; None if each image becomes a file of its own.

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
    """Return the settings of a run into a folder, checked.

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
    """Read ``I/N``; without a text take the place of a Slurm array task, or None for all files.

    Raises
    ------
    ValueError
        If `text` does not have that form, or the Slurm task lies outside its array.
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
    # A user sets the number of an array's first task; Slurm may not state it: then it is 1.
    first = 1 if first is None else first
    step = max(step or 1, 1)
    number = (task - first) // step + 1
    if not 1 <= number <= count:
        raise ValueError(
            f"`SLURM_ARRAY_TASK_ID` must lie in an array of {count} tasks from {first}; got {task}."
            " Say --shard I/N."
        )
    return Shard(number, count)
