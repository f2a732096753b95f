"""`Settings`: the options of a run, with its inputs, outputs and engine."""

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
        Files and folders to enhance.
    listed : sequence of str
        Further files to enhance, read from a list.
    out : str
        Folder of the outputs.
    job : Job
        Options that determine the content of outputs.
    num_workers : int
        Number of threads of the local engine, or of processes of a Dask cluster that the run
        starts.
    engine : {"local", "dask"}
        Engine that carries out the tasks.
    scheduler : str or None
        Address of a Dask scheduler; None starts a cluster on this machine.
    overwrite, retry_failed : bool
        See `find_pending`.
    manifest : str or None
        Path of the manifest; None uses ``manifest.jsonl`` in `out`.
    shard : Shard or None
        Part of the files to enhance; None enhances all files.
    flat_names : bool
        Whether outputs are named by hashes; see `plan_files`.
    samples : SampleOptions or None
        How images are put into files of samples. None writes one output file for each image.
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
        """Return settings with absolute paths, because workers may have another working folder."""
        return dataclasses.replace(
            self,
            inputs=[os.path.abspath(path) for path in self.inputs],
            listed=[os.path.abspath(path) for path in self.listed],
            out=os.path.abspath(self.out),
        )
