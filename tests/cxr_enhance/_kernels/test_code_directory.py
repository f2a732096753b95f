"""Compiled kernels are kept and loaded where nobody but the user and root could put them."""

from __future__ import annotations

import hashlib
import os

import pytest

from cxr_enhance._kernels import code_directory, start
from tests.helpers.fresh_process import run_code

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")
ANOTHER_USER = 12345
as_root = pytest.mark.skipif(
    os.name != "posix" or os.getuid() != 0, reason="only root can give a file to another user"
)


@pytest.fixture
def choose(monkeypatch, tmp_path):
    """Give a function that chooses a directory with NUMBA_CACHE_DIR set to what it is given."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CXR_ENHANCE_CACHE", raising=False)

    def choose(folder):
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
        return code_directory.choose_cache.__wrapped__()

    return choose


def is_in(choice, folder):
    return choice.directory is not None and choice.directory.parent.parent == folder


def test_a_folder_of_the_users_is_taken_and_what_is_made_is_private(choose, tmp_path):
    before = os.umask(0)
    try:
        choice = choose(tmp_path / "deep" / "cache")
    finally:
        os.umask(before)
    assert is_in(choice, tmp_path / "deep" / "cache")
    assert choice.reasons == ()
    for made in (choice.directory, *list(choice.directory.parents)[:3]):
        assert made.stat().st_mode & 0o777 == 0o700, made


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o707, 0o1777])
@pytest.mark.parametrize("depth", [0, 1])
def test_a_cache_directory_others_could_write_to_is_not_used(choose, tmp_path, mode, depth):
    first = choose(tmp_path / "cache")
    part = [first.directory, first.directory.parent][depth]
    part.chmod(mode)
    choice = choose(tmp_path / "cache")
    assert is_in(choice, tmp_path / "home")
    assert choice.reasons == (f"others can write to {part}, or own it",)
    assert part.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o703])
def test_a_directory_that_others_could_rename_is_not_used(choose, tmp_path, mode):
    parent = tmp_path / "shared"
    (parent / "mine").mkdir(parents=True)
    parent.chmod(mode)
    choice = choose(parent / "mine")
    assert is_in(choice, tmp_path / "home")
    assert choice.reasons == (f"others can rename what is in {parent}, or own it",)


def test_a_directory_below_one_with_the_sticky_bit_is_used(choose, tmp_path):
    parent = tmp_path / "like-tmp"
    parent.mkdir()
    parent.chmod(0o1777)
    assert is_in(choose(parent / "mine"), parent / "mine")


def test_a_link_is_followed_and_what_it_leads_through_counts_too(choose, tmp_path):
    shared, mine = tmp_path / "shared", tmp_path / "mine"
    shared.mkdir()
    mine.mkdir()
    (shared / "hop").symlink_to(mine)
    (tmp_path / "link").symlink_to("shared/hop")
    assert is_in(choose(tmp_path / "link"), tmp_path / "link")
    shared.chmod(0o777)
    assert is_in(choose(tmp_path / "link"), tmp_path / "home")


@as_root
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_a_directory_of_another_user_is_not_used(choose, tmp_path, depth):
    first = choose(tmp_path / "a" / "cache")
    os.chown([first.directory, *first.directory.parents][depth], ANOTHER_USER, -1)
    assert is_in(choose(tmp_path / "a" / "cache"), tmp_path / "home")


@as_root
def test_a_link_of_another_user_is_not_followed(choose, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    os.chown(tmp_path / "link", ANOTHER_USER, -1, follow_symlinks=False)
    assert is_in(choose(tmp_path / "link"), tmp_path / "home")


@pytest.mark.slow
def test_a_relative_directory_is_resolved_once(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    code = """
        import os
        sys.path.insert(0, os.getcwd())
        os.chdir(sys.argv[1])
        import numpy as np, cxr_enhance
        os.chdir("elsewhere")
        cxr_enhance.rgb_to_gray(np.zeros((4, 4, 3), np.uint8))
    """
    run_code(code, tmp_path, env={"NUMBA_CACHE_DIR": "cache"})
    assert list((tmp_path / "cache").rglob("*.code"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_relative_directory_below_a_folder_that_is_gone_is_passed_over(
    choose, tmp_path, monkeypatch
):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(code_directory, "STARTED_IN", start._working_directory())
    assert is_in(choose("cache"), tmp_path / "home")


# --- the files in it ---------------------------------------------------------------------------

GRAY = "import numpy as np, cxr_enhance as c; print(c.rgb_to_gray(np.full((4, 4, 3), 7, 'u1'))[0])"


def gray(cache):
    """Run the one kernel that turns colours to gray, with its code kept in `cache`."""
    assert run_code(GRAY, env={"NUMBA_CACHE_DIR": cache}).stdout == "[7 7 7 7]\n"
    return sorted(cache.rglob("*.code"))


def plant(path):
    """Write a file whose digest is right and whose code would end the process."""
    body = b"2 q\nplanted"
    path.write_bytes(hashlib.sha256(body).digest() + body)


def others_may_write(path):
    path.chmod(0o666)


def belongs_to_another(path):
    os.chown(path, ANOTHER_USER, -1)


def is_a_link(path):
    target = path.with_suffix(".elsewhere")
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil", [others_may_write, pytest.param(belongs_to_another, marks=as_root), is_a_link]
)
def test_a_file_that_others_could_have_written_is_made_anew_unread(tmp_path, spoil):
    (path,) = gray(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    plant(path)
    spoil(path)
    assert gray(tmp_path) == [path]
    assert code_directory.only_we_can_change(path)
    assert b"planted" not in path.read_bytes()


@pytest.mark.slow
def test_a_pipe_in_the_cache_does_not_stop_the_program(tmp_path):
    for path in gray(tmp_path / "cache"):
        path.unlink()
        os.mkfifo(path)
    gray(tmp_path / "cache")


@pytest.mark.slow
def test_files_are_used_by_the_next_process_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        files = gray(tmp_path)
        times = [path.stat().st_mtime_ns for path in files]
        assert gray(tmp_path) == files
    finally:
        os.umask(before)
    assert [path.stat().st_mtime_ns for path in files] == times
