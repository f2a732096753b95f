"""From a page to HTML or Markdown."""
