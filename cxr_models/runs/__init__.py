"""Files of a training run on disk: their names and contents. Imports no framework."""
