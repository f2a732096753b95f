"""Reading of an HTML page: its headings, tables and attributes, as a browser reads them."""

from html.parser import HTMLParser

VOID = {"br", "img", "link", "meta"}


class Read(HTMLParser):
    """A parsed page, with the parts that tests need."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.headings, self.tables, self.text = [], [], {}, ""
        self._open, self._caption, self._cell, self._rows = [], "", None, None
        self.feed(html)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self._open.append(tag)
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append([int(tag[1]), ""])
        if tag == "figcaption":
            self._caption = ""
        if tag == "table":
            self._rows = []
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, tag
        if tag == "table":
            # Tables of different sets can have the same caption.
            self.tables.setdefault(self._caption.strip(), []).append(self._rows)

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        inner = self._open[-1] if self._open else ""
        if inner in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings[-1][1] += data
        if inner == "figcaption":
            self._caption += data
        if inner in ("td", "th"):
            self._rows[-1][-1] += data

    def table(self, caption, which=0):
        """Return a table as a dictionary of rows, each a dictionary of columns."""
        head, *rows = self.tables[caption][which]
        return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
