"""From the files of runs to checked results."""
