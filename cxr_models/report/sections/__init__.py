"""From results to the sections of a page; each module makes a group of sections."""
