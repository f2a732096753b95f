"""Build the sections of a page from results; each module builds a group of sections."""
