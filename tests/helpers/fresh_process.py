"""Separate processes: Python code, a module or a program is run to its end or only started.

No other file of the tests starts processes.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).parents[2]
DISCARD = subprocess.DEVNULL  # value for `stdout` and `stderr` of started processes
_SHOWN = 3000  # most characters of each output stream that the error of a failed process shows


def run_code(code, *arguments, without=(), **options):
    """Run Python code in a new process and return the completed process.

    Parameters
    ----------
    code : str
        Lines of code, with any common indentation; `sys` is imported already.
    *arguments : object
        Values of `sys.argv[1:]`; each is converted to str.
    without : sequence of str
        Packages that the process cannot import, as if they were not installed.
    **options
        Options of `run_module`.

    Returns
    -------
    subprocess.CompletedProcess
        The process with `returncode`, and with `stdout` and `stderr` as text.
    """
    block = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    lines = f"import sys\n{block}{textwrap.dedent(code)}"
    return run_program(*_python("-c", lines), *arguments, **options)


def run_module(name, *arguments, **options):
    """Run a module as with ``python -m`` and return the completed process.

    Parameters
    ----------
    name : str
        Name of the module.
    *arguments : object
        Values of `sys.argv[1:]`; each is converted to str.
    status : int or None, default 0
        Exit status that the process must have; with another status the test fails and shows the
        output. A process that a signal ends has minus the number of the signal. None allows every
        status.
    timeout : float, default 300
        Seconds after which the process is killed and `subprocess.TimeoutExpired` is raised.
    env : dict, optional
        Changes of the environment of this process; a value of None removes the variable.
    path : sequence of path, optional
        Folders that are searched for modules before the repository and the installed packages.
    cwd : path, optional
        Working directory; the default is the root of the repository. Modules are not searched in
        it.

    Returns
    -------
    subprocess.CompletedProcess
        The process with `returncode`, and with `stdout` and `stderr` as text.
    """
    return run_program(*module_command(name), *arguments, **options)


def run_program(*command, status=0, timeout=300, env=None, path=(), cwd=ROOT):
    """Run a program and return the completed process.

    Parameters
    ----------
    *command : object
        The program and its arguments; each is converted to str.
    status, timeout, env, path, cwd
        As in `run_module`.

    Returns
    -------
    subprocess.CompletedProcess
        The process with `returncode`, and with `stdout` and `stderr` as text.
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
    """Start a module; the options and the yielded value are those of `started_program`."""
    return started_program(*module_command(name), *arguments, **options)


@contextlib.contextmanager
def started_program(*command, env=None, path=(), cwd=ROOT, **pipes):
    """Start a program and yield its `subprocess.Popen`, to wait for it or to send signals.

    The process leads its own process group, so `os.killpg(running.pid, ...)` also reaches its
    children. If the process still runs at the end of the block, it is killed.

    Parameters
    ----------
    *command, env, path, cwd
        As in `run_program`.
    **pipes
        Further arguments of `Popen`, such as `stdin`, `stdout` and `stderr`. The defaults of
        `stdout` and `stderr` are pipes of bytes.
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
    """Return the command that runs a module, for programs that start it."""
    return _python("-m", name)


def environment(changes=None, path=()):
    """Return the environment of a process; `changes` and `path` are `env` and `path` of above."""
    changed = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])),
        **(changes or {}),
    }
    return {name: str(value) for name, value in changed.items() if value is not None}


def _python(*words):
    return [sys.executable, "-P", *words]  # -P: modules in `cwd` are not imported
