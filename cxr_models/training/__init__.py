"""Training of a run from a split and settings: two phases, resumable."""
