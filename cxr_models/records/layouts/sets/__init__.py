"""One module a family of sets."""
