"""Words to the terminal, and errors with their exit status: those of `cxr-enhance`."""

from __future__ import annotations

from cxr_enhance.cli.console import (
    FAILED,
    WRONG_USAGE,
    complain,
    errors_exit_with,
    printable,
    say,
)

__all__ = ["FAILED", "WRONG_USAGE", "complain", "errors_exit_with", "printable", "say"]
