"""Running the command line in this process or in one of its own."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from cxr_enhance.cli import main


class Result(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def cli(capfd):
    """Give a function that runs the command line in this process."""

    def run(*words):
        capfd.readouterr()
        status = main([str(word) for word in words])
        return Result(status, *capfd.readouterr())

    return run
