"""Number of CPUs that this process may use."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use, the default of `num_threads`.

    Returns
    -------
    int
        At least 1. The number of CPUs in the process's CPU affinity, if the system reports it.
        Containers and batch schedulers set the affinity; ``os.cpu_count`` ignores it. If Slurm sets
        ``SLURM_CPUS_PER_TASK``, the result is at most this number.

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
