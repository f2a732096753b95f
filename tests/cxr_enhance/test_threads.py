"""Threads, processes and installs where nothing can be written: the same bytes, and no abort.

Every test runs a program in a process of its own: an abort, a deadlock or a warning at import
there is a failed test here, not the end of the test run.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

import pytest

import cxr_enhance
from tests.helpers.fresh_process import run_code

PACKAGE = Path(cxr_enhance.__file__).parent


def run_program(program, env=None, path=()):
    """Run a Python program, warnings as errors; return what it wrote."""
    env = {"PYTHONWARNINGS": "error", **(env or {})}
    return run_code(program, env=env, path=path).stdout.strip()


COMMON = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import cxr_enhance as cxe

def make_images(count):
    rng = np.random.default_rng(7)
    return [
        rng.integers(0, 4096, (60 + n % 7, 70 + n % 5, 3), np.uint16) if n % 5 == 4
        else rng.integers(0, 256, (90 + n % 11, 101 + n % 13, 3), np.uint8)
        for n in range(count)
    ]

PARAMS = cxe.EnhanceParams(tile_grid_size=(8, 4), output="rgb")
"""


def test_eight_threads_sharing_one_params_record_give_the_serial_bytes():
    """Also the program that would abort, under this layer, should a parallel kernel slip in."""
    program = COMMON + textwrap.dedent(
        """
        images = make_images(100)
        serial = [cxe.enhance(image, PARAMS).tobytes() for image in images]
        def work(thread):
            order = np.random.default_rng(thread).permutation(len(images))
            return {int(n): cxe.enhance(images[n], PARAMS).tobytes() == serial[n] for n in order}
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(work, range(8)))
        print(len(answers), sum(len(a) for a in answers), all(all(a.values()) for a in answers))
        """
    )
    output = run_program(program, {"NUMBA_THREADING_LAYER": "workqueue"})
    assert output == "8 800 True"


def test_threads_that_meet_at_the_first_call_compile_once_and_agree(tmp_path):
    program = COMMON + textwrap.dedent(
        """
        import threading
        image = make_images(1)[0]
        gate = threading.Barrier(8)
        def work(_):
            gate.wait()
            return cxe.white_balance(image).tobytes()
        with ThreadPoolExecutor(8) as pool:
            print(len(set(pool.map(work, range(8)))))
        """
    )
    env = {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_CACHE_DIR": str(tmp_path / "cold")}
    assert run_program(program, env) == "1"


def test_batches_called_from_several_threads_at_once_equal_the_loop():
    program = COMMON + textwrap.dedent(
        """
        images = make_images(24)
        serial = [cxe.enhance(image, PARAMS).tobytes() for image in images]
        def work(threads):
            results = cxe.enhance_batch(images, PARAMS, num_threads=threads)
            return [result.tobytes() for result in results] == serial
        with ThreadPoolExecutor(4) as pool:
            print(all(pool.map(work, [1, 2, 3, 8, None])))
        """
    )
    env = {"NUMBA_THREADING_LAYER": "workqueue"}
    assert run_program(program, env) == "True"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_give_the_bytes_of_their_parent(tmp_path, method):
    """Started after the parent has used kernels and a thread pool, where others deadlock."""
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    (tmp_path / "work.py").write_text(
        textwrap.dedent(COMMON)
        + textwrap.dedent(
            """
            def digest(image, params=PARAMS):
                return hashlib.sha256(cxe.enhance(image, params).tobytes()).hexdigest()

            def digest_batch(images):
                results = cxe.enhance_batch(images, PARAMS, num_threads=2)
                return [hashlib.sha256(result.tobytes()).hexdigest() for result in results]
            """
        )
    )
    program = f"""
        import multiprocessing, warnings, work
        # Python 3.12+ warns at a fork beside any thread; that case is what is tested here.
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        if __name__ == "__main__":
            images = work.make_images(10)
            expected = [work.digest(image) for image in images]
            assert work.digest_batch(images) == expected
            context = multiprocessing.get_context("{method}")
            with context.Pool(2) as pool:
                single = pool.map_async(work.digest, images).get(240)
                batch = pool.map_async(work.digest_batch, [images]).get(240)
            print(single == expected, batch == [expected])
        """
    assert run_program(program, path=[tmp_path]) == "True True"


# --- nothing can be written --------------------------------------------------------------------

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


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    package = copy_of_the_package(tmp_path)
    cache = tmp_path / "cache"
    env = {"NUMBA_CACHE_DIR": str(cache)}
    run_copy(package, env)
    compiled = {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")}
    assert compiled
    run_copy(package, env)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")} == compiled
