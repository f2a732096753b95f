"""Engines, which carry out the tasks of a run: threads of this process, or Dask workers."""
