"""A task in a child process: imports what its parent imports, and nothing of the working folder."""

from __future__ import annotations

import sys

import pytest

from cxr_enhance.archive.engines import isolated

PLANTED = "open('ran', 'w').close()\n"


def test_a_child_imports_nothing_of_its_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    for name in ("pickle.py", "json.py", "subprocess.py", "numpy.py"):
        (tmp_path / name).write_text(PLANTED)
    assert isolated._in_child(len, ("abc",), 60) == 3
    assert not (tmp_path / "ran").exists()


def test_a_child_finds_the_modules_that_its_parent_finds(tmp_path, monkeypatch):
    (tmp_path / "module_of_the_parent.py").write_text("def double(number): return 2 * number\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    from module_of_the_parent import double

    assert isolated._in_child(double, (4,), 60) == 8


def test_a_child_that_dies_is_an_error_with_its_status():
    with pytest.raises(isolated._ChildDiedError, match="a process of its own ended with status 1"):
        isolated._in_child(int, ("no number",), 60)
