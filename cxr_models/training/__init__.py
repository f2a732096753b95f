"""From a split and settings to a trained run: two phases, resumable."""
