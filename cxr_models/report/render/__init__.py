"""Rendering of a page as HTML or Markdown."""
