"""The images of a page: which are shown, and their small copies."""
