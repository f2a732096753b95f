"""How many CPUs this process may use."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """Count the CPUs this process may run on: the threads that `enhance_batch` takes by default.

    Returns
    -------
    int
        At least 1. The CPU affinity of the process where the system reports it (containers and
        batch schedulers set it, ``os.cpu_count`` ignores it), lowered to ``SLURM_CPUS_PER_TASK``
        where Slurm sets that.

    Examples
    --------
    >>> import cxr_enhance
    >>> cxr_enhance.usable_cpus() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:  # macOS and Windows report no affinity
        count = os.cpu_count() or 1
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdecimal() and int(slurm) > 0:
        count = min(count, int(slurm))
    return count
