"""Compiled code on disk: loaded by the next process, and no error where it cannot be kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import cxr_enhance
from tests.helpers.fresh_process import run_code

PACKAGE = Path(cxr_enhance.__file__).parent

SMOKE = """
import numpy as np, cxr_enhance as cxe
image = np.arange(60 * 70, dtype=np.uint32).reshape(60, 70).astype(np.uint8)
print(cxe.__file__)
print(int(cxe.white_balance(image).sum()))
"""


def copy_of_the_package(folder):
    """Install the sources, and only them, into `folder`."""
    target = folder / "site" / "cxr_enhance"
    shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


# Python's own search for a temporary directory would end at /tmp, whatever the environment says.
NO_TEMPORARY_DIRECTORY = "import tempfile; tempfile.tempdir = '/dev/null/tmp'\n"


def nowhere_to_write():
    """Changes of the environment after which home and cache directories cannot exist.

    A path below a device file cannot be created by anyone, root included, to whom permission bits
    are no barrier.
    """
    bare = {k: None for k in os.environ if k.startswith(("NUMBA_", "XDG_", "CXR_"))}
    nowhere = "/dev/null/home"
    names = (
        "HOME",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "TMPDIR",
        "TEMP",
        "TMP",
        "NUMBA_CACHE_DIR",
    )
    return bare | dict.fromkeys(names, nowhere)


def run_copy(package, env=None, program=SMOKE):
    """Run `program` against the copied package; return its lines and its standard error."""
    env = {"PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    done = run_code(program, env=env, path=[package.parent])
    lines = done.stdout.splitlines()
    assert Path(lines[0]).parent == package, "another install was imported"
    return lines[1:], done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs /dev/null as a barrier")
def test_a_read_only_install_with_an_unwritable_home_imports_and_runs(tmp_path):
    """Permission bits bar a user; for root the sources' ``__pycache__`` is made a plain file."""
    package = copy_of_the_package(tmp_path)
    folders = [package, *(path for path in package.rglob("*") if path.is_dir())]
    for folder in folders:
        (folder / "__pycache__").write_text("a file where Numba would make a directory")
    before = sorted(path for path in package.rglob("*"))
    for folder in folders:
        folder.chmod(0o555)
    try:
        program = NO_TEMPORARY_DIRECTORY + SMOKE + "print(int(cxe.enhance(image).sum()))\n"
        numbers, errors = run_copy(package, nowhere_to_write(), program)
        assert "Traceback" not in errors
        assert errors.count("Warning") <= 1
        assert sorted(path for path in package.rglob("*")) == before
        program = SMOKE + "print(int(cxe.enhance(image).sum()))\n"
        expected, _ = run_copy(PACKAGE, program=program)
        assert numbers == expected
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_the_install_directory_is_never_written_to(tmp_path):
    package = copy_of_the_package(tmp_path)
    before = sorted(path for path in package.rglob("*"))
    run_copy(package)
    assert sorted(path for path in package.rglob("*")) == before


@pytest.mark.slow
def test_a_damaged_cache_is_no_error(tmp_path):
    package = copy_of_the_package(tmp_path)
    cache = tmp_path / "cache"
    env = {"NUMBA_CACHE_DIR": str(cache)}
    expected, _ = run_copy(package, env)
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert files, "nothing was kept on disk"
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert run_copy(package, env)[0] == expected


@pytest.mark.slow
def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    package = copy_of_the_package(tmp_path)
    cache = tmp_path / "cache"
    env = {"NUMBA_CACHE_DIR": str(cache)}
    run_copy(package, env)
    compiled = {path: path.stat().st_mtime_ns for path in cache.rglob("*.code")}
    assert compiled
    run_copy(package, env)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.code")} == compiled
