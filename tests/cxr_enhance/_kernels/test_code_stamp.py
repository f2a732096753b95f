"""Machine code kept for one version of the kernels is never run by another, however installed."""

from __future__ import annotations

import compileall
import py_compile
import shutil
import zipfile
from pathlib import Path

import pytest

import cxr_enhance
from cxr_enhance._kernels import code_stamp
from tests.helpers.fresh_process import run_code

PACKAGE = Path(cxr_enhance.__file__).parent
LEVEL = "int(min(max(level, 0.0), white))"
NEGATIVE = "int(white - min(max(level, 0.0), white))"
PROGRAM = """
import numpy as np, cxr_enhance
assert cxr_enhance.__file__.startswith(sys.argv[1]), cxr_enhance.__file__
print(cxr_enhance.white_balance(np.array([[10, 60, 110]], np.uint8), percentiles=(0, 100))[0])
"""


def copy_sources(folder, *, negative):
    """Copy the package; the negative version's white balance gives 255 less the right value."""
    package = folder / "cxr_enhance"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    if negative:
        stretch = package / "_kernels" / "stretch.py"
        assert LEVEL in stretch.read_text()
        stretch.write_text(stretch.read_text().replace(LEVEL, NEGATIVE))
    return package


def as_sources(folder, *, negative):
    copy_sources(folder, negative=negative)
    return folder


def as_archive(folder, *, negative):
    package = copy_sources(folder, negative=negative)
    path = folder / "site.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for source in package.rglob("*.*"):
            archive.write(source, source.relative_to(folder))
    shutil.rmtree(package)
    return path


def as_bytecode(folder, *, negative):
    package = copy_sources(folder, negative=negative)
    assert compileall.compile_dir(package, quiet=1, legacy=True)
    for source in package.rglob("*.py"):
        source.unlink()
    return folder


def as_archived_bytecode(folder, *, negative):
    as_bytecode(folder, negative=negative)
    path = folder / "site.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for source in folder.joinpath("cxr_enhance").rglob("*.*"):
            archive.write(source, source.relative_to(folder))
    shutil.rmtree(folder / "cxr_enhance")
    return path


def as_unchecked_bytecode(folder, *, negative):
    """Bytecode of one version that Python runs whatever the sources beside it say."""
    package = copy_sources(folder, negative=negative)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    assert compileall.compile_dir(package, quiet=1, invalidation_mode=mode)
    (package / "_kernels" / "stretch.py").write_bytes(
        (PACKAGE / "_kernels" / "stretch.py").read_bytes()
    )
    return folder


def run(site, cache, seed="1"):
    env = {
        "NUMBA_CACHE_DIR": cache,
        "PYTHONHASHSEED": seed,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return run_code(PROGRAM, site, env=env, path=[site]).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "install",
    [as_sources, as_archive, as_bytecode, as_archived_bytecode, as_unchecked_bytecode],
    ids=lambda install: install.__name__,
)
def test_another_version_in_one_cache_gives_its_own_bytes(tmp_path, install):
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    first = install(tmp_path / "1", negative=False)
    second = install(tmp_path / "2", negative=True)
    cache = tmp_path / "cache"
    assert run(first, cache) == "[  0 127 255]"
    assert run(second, cache) == "[255 127   0]"
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.code")}
    assert len({path.parent for path in kept}) == 2
    assert run(first, cache, seed="2") == "[  0 127 255]"
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.code")} == kept


def test_nothing_is_kept_where_the_kernels_cannot_be_listed(monkeypatch):
    monkeypatch.setattr(code_stamp.pkgutil, "iter_modules", lambda *_: [])
    assert code_stamp.sources_digest.__wrapped__() is None


def test_nothing_is_kept_where_a_kernel_cannot_be_read(monkeypatch):
    def fail(_spec):
        raise ImportError("no code here")

    monkeypatch.setattr(code_stamp, "_content", fail)
    assert code_stamp.sources_digest.__wrapped__() is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x):\n    return x + 1", "def f(x):\n    return x + 2"),
        ("def f(x):\n    return x + 1", "def f(x):\n    return x - 1"),
        ("def f(x):\n    return x.a", "def f(x):\n    return x.b"),
        ("LEVELS = (1, 2)", "LEVELS = (1, 3)"),
        ("LEVEL = 1", "LEVEL = 1.0"),
        ("def f(x):\n    return [y + 1 for y in x]", "def f(x):\n    return [y for y in x]"),
        ("def f(x):\n    return x in {'a', 'b'}", "def f(x):\n    return x in {'a', 'c'}"),
    ],
)
def test_code_that_differs_has_another_digest(one, other):
    def digest(source):
        found = code_stamp.hashlib.sha256()
        code_stamp._add_code(found, compile(source, "kernels", "exec"))
        return found.hexdigest()

    assert digest(one) == digest(one)
    assert digest(one) != digest(other)
