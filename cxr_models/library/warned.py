"""Warnings for Python from the lines of text that commands print: `warns_beside`."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = "WARNING: "  # at the start of a line, or after the name of what the line is about
_CALLER = 3  # frames from `warns_beside` to the caller of a function with `says_arguments`


def warns_beside(say: Callable[[str], object] | None) -> Callable[[str], None]:
    """Return a function for lines of text, which makes a `UserWarning` of each line with WARNING.

    A public function calls `warns_beside` itself. The warnings name the line that called the public
    function.

    Parameters
    ----------
    say : callable or None
        Function of the user, which is called with every line. None takes only the warnings.
    """
    caller = sys._getframe(_CALLER)
    place = caller.f_code.co_filename, caller.f_lineno
    module = str(caller.f_globals.get("__name__", "<string>"))
    registry = caller.f_globals.setdefault("__warningregistry__", {})

    def tell(line: str) -> None:
        if say is not None:
            say(line)
        before, mark, after = line.partition(_MARK)
        if mark and (not before or before.endswith(": ")):
            sentence = before + after.removesuffix(":")  # the files, in lines below, are left out
            warnings.warn_explicit(sentence, UserWarning, *place, module=module, registry=registry)

    return tell
