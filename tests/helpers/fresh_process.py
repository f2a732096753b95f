"""A process of its own: lines of Python, a module or a program, run to its end or only started.

No other file of the tests starts one.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).parents[2]
DISCARD = subprocess.DEVNULL  # for `stdout` and `stderr` of what is started
_SHOWN = 3000  # characters of what a process said, at most, where it ended otherwise than it should


def run_code(code, *arguments, without=(), **options):
    """Run lines of Python and return what came of them.

    Parameters
    ----------
    code : str
        The lines, indented as they like; `sys` is imported.
    *arguments : object
        What `sys.argv[1:]` is to hold; `str` is made of each.
    without : sequence of str
        Packages that cannot be imported there, as if they were not installed.
    **options
        Those of `run_module`.

    Returns
    -------
    subprocess.CompletedProcess
        With `returncode`, and `stdout` and `stderr` as text.
    """
    block = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    lines = f"import sys\n{block}{textwrap.dedent(code)}"
    return run_program(*_python("-c", lines), *arguments, **options)


def run_module(name, *arguments, **options):
    """Run a module as ``python -m`` would and return what came of it.

    Parameters
    ----------
    name : str
        The module's.
    *arguments : object
        As in `run_code`.
    status : int or None, default 0
        The exit status that the process must have, or the test fails with what it said; minus the
        signal's number where one ends it. None takes any.
    timeout : float, default 300
        Seconds after which the process is killed and `subprocess.TimeoutExpired` raised.
    env : dict, optional
        Changes of this process's environment; None for a value takes the variable away.
    path : sequence of path, optional
        Folders searched for modules before the repository and the environment's packages.
    cwd : path, optional
        The working directory; the repository's by default. No module is looked for in it.

    Returns
    -------
    subprocess.CompletedProcess
        As `run_code`.
    """
    return run_program(*module_command(name), *arguments, **options)


def run_program(*command, status=0, timeout=300, env=None, path=(), cwd=ROOT):
    """Run any program and return what came of it.

    Parameters
    ----------
    *command : object
        The program and what it is given; `str` is made of each.
    status, timeout, env, path, cwd
        As in `run_module`.

    Returns
    -------
    subprocess.CompletedProcess
        As `run_code`.
    """
    done = subprocess.run(
        list(map(str, command)),
        env=environment(env, path),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if status is not None and done.returncode != status:
        raise AssertionError(
            f"exit status {done.returncode}, expected {status}\n"
            f"{done.stdout[-_SHOWN:]}\n{done.stderr[-_SHOWN:]}"
        )
    return done


def started_module(name, *arguments, **options):
    """Start a module; `started_program` says what is given and takes the same options."""
    return started_program(*module_command(name), *arguments, **options)


@contextlib.contextmanager
def started_program(*command, env=None, path=(), cwd=ROOT, **pipes):
    """Start any program and give its `subprocess.Popen`, to be waited for or sent signals.

    It leads a process group of its own, so `os.killpg(running.pid, ...)` reaches its children
    too. What still runs at the end of the block is killed.

    Parameters
    ----------
    *command, env, path, cwd
        As in `run_program`.
    **pipes
        `stdout` and `stderr`, which are pipes of bytes unless said otherwise, `stdin` and other
        descriptors, as for `Popen`.
    """
    running = subprocess.Popen(
        list(map(str, command)),
        env=environment(env, path),
        cwd=cwd,
        start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes},
    )
    with running:  # closes the pipes and waits
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def module_command(name):
    """Give the words with which a module is run, for programs that are to start it."""
    return _python("-m", name)


def environment(changes=None, path=()):
    """Make the environment in which every process here runs; `run_module` says of what."""
    changed = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])),
        **(changes or {}),
    }
    return {name: str(value) for name, value in changed.items() if value is not None}


def _python(*words):
    return [sys.executable, "-P", *words]  # -P: nothing from `cwd`
