"""Writing of the tables of README.md and docs/ from stored results."""
