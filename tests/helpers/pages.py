"""The pages of the documentation: their texts, code blocks and commands."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from tests.helpers.fresh_process import ROOT

DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    if not path.is_relative_to(DOCS / "changes") and not path.is_relative_to(DOCS / "generated")
}
PROGRAMS = ("cxr-enhance", "cxr-models")


class Command(NamedTuple):
    """A command of a page: the program without its folder, and its arguments."""

    program: str
    words: tuple[str, ...]

    @property
    def is_ours(self):
        return self.program in PROGRAMS

    def __str__(self):
        return shlex.join([self.program, *self.words])


def blocks_of(text, language):
    """Return the fenced blocks of a language: the text after its name, and the lines."""
    return re.findall(rf"^```{language}([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands_of(text):
    """Return the commands in the shell blocks of a page, in their order."""
    return [
        Command(words[0].rpartition("/")[2], tuple(words[1:]))
        for _, block in blocks_of(text, "sh")
        for line in _lines_of(block)
        for words in _commands_in(line)
    ]


def _lines_of(block):
    """Yield the lines of a block; lines continued by a backslash or a quotation mark are joined."""
    joined = ""
    for line in block.replace("\\\n", " ").splitlines():
        joined += line
        try:
            shlex.split(joined, comments=True)
        except ValueError:  # a quotation mark that is not closed yet
            joined += "\n"
            continue
        yield joined
        joined = ""


def _commands_in(line):
    """Yield the commands of a line, split at && and |, without settings of variables."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|")
    lexer.whitespace_split = True
    words = []
    for word in [*lexer, "&&"]:
        if word in ("&&", "|"):
            if words:
                yield words
            words = []
        elif words or not re.match(r"[A-Z_]+=", word):
            words.append(word)
