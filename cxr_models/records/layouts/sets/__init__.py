"""Facts about public sets and functions that read them, one module for each family of sets."""
