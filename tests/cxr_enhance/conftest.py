"""The command line in a process of its own."""

import contextlib

import pytest

from tests.helpers.fresh_process import started_module


@pytest.fixture
def start():
    """Give a function that starts `cxr-enhance` in a process of its own; it ends with the test."""
    with contextlib.ExitStack() as processes:

        def call(*words, env=None, path=()):
            running = started_module("cxr_enhance", *words, env=env, path=path)
            return processes.enter_context(running)

        yield call
