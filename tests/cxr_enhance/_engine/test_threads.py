"""Work shared by threads, and by processes: all of it once, the same bytes, no abort."""

import textwrap
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_enhance._engine.threads import share
from tests.helpers.fresh_process import run_code


def parts_of(count, threads, least, most):
    """Parts that `share` gave out, in their order in the range."""
    parts = []
    share(lambda start, stop: parts.append((start, stop)), count, threads, least=least, most=most)
    return sorted(parts)


@given(
    count=st.integers(0, 300),
    threads=st.integers(1, 9),
    least=st.integers(1, 20),
    more=st.integers(0, 50),
)
def test_every_item_is_given_out_once(count, threads, least, more):
    parts = parts_of(count, threads, least, least + more)
    assert [item for start, stop in parts for item in range(start, stop)] == list(range(count))
    assert all(0 < stop - start <= least + more for start, stop in parts)
    assert all(stop - start >= least for start, stop in parts[:-1])


def test_threads_get_four_parts_each_where_the_sizes_allow_it():
    assert parts_of(64, 2, 1, 64) == [(start, start + 8) for start in range(0, 64, 8)]
    assert parts_of(64, 2, 16, 64) == [(start, start + 16) for start in range(0, 64, 16)]
    assert parts_of(64, 2, 1, 4) == [(start, start + 4) for start in range(0, 64, 4)]


def test_one_thread_takes_the_largest_parts():
    assert parts_of(10, 1, 1, 4) == [(0, 4), (4, 8), (8, 10)]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_all_threads_work_on_all_of_it(threads):
    seen = [0] * 100
    workers = set()
    all_there = threading.Barrier(threads, timeout=60)

    def work(start, stop):
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            all_there.wait()
        for item in range(start, stop):
            seen[item] += 1

    share(work, 100, threads, least=1, most=5)
    assert seen == [1] * 100
    assert len(workers) == threads


@pytest.mark.parametrize("failing", [0, 1])  # the first part of either thread
def test_an_error_in_any_thread_stops_the_others_and_is_raised(failing):
    done = []

    def work(start, stop):
        if start == failing:
            raise OSError("a part failed")
        time.sleep(0.02)
        done.append(stop - start)

    with pytest.raises(OSError, match="a part failed"):
        share(work, 1000, 2, least=1, most=1)
    assert sum(done) < 100


# --- callers' own threads and processes --------------------------------------------------------
#
# Each runs a program in a process of its own: an abort or a deadlock there is a failed test here.

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


def printed_by(program, env=None, path=()):
    """Run a Python program, warnings as errors; return what it wrote."""
    env = {"PYTHONWARNINGS": "error", **(env or {})}
    return run_code(program, env=env, path=path).stdout.strip()


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
    output = printed_by(program, {"NUMBA_THREADING_LAYER": "workqueue"})
    assert output == "8 800 True"


@pytest.mark.slow
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
    assert printed_by(program, env) == "1"


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
    assert printed_by(program, env) == "True"


@pytest.mark.slow
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
    assert printed_by(program, path=[tmp_path]) == "True True"
