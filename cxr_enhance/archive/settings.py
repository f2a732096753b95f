"""What a run reads, where it writes and who works: decided before anything is looked at."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cxr_enhance.archive.job import Job
from cxr_enhance.archive.plan import Shard

EngineName: TypeAlias = Literal["local", "dask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A run as it was asked for; `job` says what is done to each file.

    Parameters
    ----------
    inputs, listed : sequence of str
        Files and folders; files of a list.
    out : str
        Folder of the outputs.
    job : Job
        What is done to each file.
    num_workers : int
        Threads of the local engine, processes of a Dask cluster of its own.
    engine : {"local", "dask"}
        Who works.
    scheduler : str or None
        Address of a Dask scheduler.
    overwrite, retry_failed : bool
        See `find_pending`.
    manifest : str or None
        The file; None for one in `out`.
    shard : Shard or None
        The part to do.
    flat_names : bool
        Whether outputs are named by hashes; see `plan_files`.
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

    def with_absolute_paths(self) -> Settings:
        """Name all files in full, as workers with another working folder need it."""
        return dataclasses.replace(
            self,
            inputs=[os.path.abspath(path) for path in self.inputs],
            listed=[os.path.abspath(path) for path in self.listed],
            out=os.path.abspath(self.out),
        )
