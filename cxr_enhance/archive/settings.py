"""The options of a run: its inputs, outputs and engine, decided before any file is read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cxr_enhance.archive.job import Job
from cxr_enhance.archive.plan import Shard
from cxr_enhance.archive.samples.plan import SampleOptions

EngineName: TypeAlias = Literal["local", "dask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a run.

    Parameters
    ----------
    inputs : sequence of str
        Files and folders.
    listed : sequence of str
        Further files, from a list.
    out : str
        Folder of the outputs.
    job : Job
        Options that decide what an output holds.
    num_workers : int
        Threads of the local engine, or processes of a Dask cluster that the run starts.
    engine : {"local", "dask"}
        Engine that carries out the tasks.
    scheduler : str or None
        Address of a Dask scheduler.
    overwrite, retry_failed : bool
        See `find_pending`.
    manifest : str or None
        Path of the manifest; None for ``manifest.jsonl`` in `out`.
    shard : Shard or None
        The part of the files to enhance; None for all files.
    flat_names : bool
        Whether outputs are named by hashes; see `plan_files`.
    samples : SampleOptions or None
        How images are put into files of samples; None for one output file an image.
    """

    inputs: Sequence[str]
    out: str
    job: Job
    num_workers: int
    listed: Sequence[str] = ()
    engine: EngineName = "local"
    scheduler: str | None = None
    overwrite: bool = False
    retry_failed: bool = False
    manifest: str | None = None
    shard: Shard | None = None
    flat_names: bool = False
    samples: SampleOptions | None = None

    def with_absolute_paths(self) -> Settings:
        """Make all paths absolute: workers may have another working folder."""
        return dataclasses.replace(
            self,
            inputs=[os.path.abspath(path) for path in self.inputs],
            listed=[os.path.abspath(path) for path in self.listed],
            out=os.path.abspath(self.out),
        )
