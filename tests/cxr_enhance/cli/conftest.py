"""Running the command line in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cxr_enhance.cli import main

ROOT = Path(__file__).parents[3]


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


@pytest.fixture
def process():
    """Give a function that starts the command line in a process of its own."""

    def start(*words, **options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        command = [sys.executable, "-m", "cxr_enhance", *map(os.fspath, words)]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )

    return start
