"""How it is written: stored results to tables of README and docs."""
