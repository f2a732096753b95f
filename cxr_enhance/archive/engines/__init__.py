"""Who does the work of a run: threads of this process, or Dask workers."""
