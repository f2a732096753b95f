"""From results to the sections of a page, one module a group of sections."""
