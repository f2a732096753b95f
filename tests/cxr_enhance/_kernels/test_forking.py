"""A process forked beside a thread that compiles works as its parent does."""

from __future__ import annotations

import os

import numba
import numpy as np
import pytest

from tests import reference
from tests.helpers.fresh_process import run_code

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled"),
]

COMMON = """
import os, signal, threading, time, warnings
import numpy as np
import cxr_enhance as cxe
# Python 3.12+ warns at a fork beside any thread; that case is what is tested here.
warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)

def status_of_child(work):
    child = os.fork()
    if child == 0:
        signal.alarm(100)  # ends a child that waits for a lock no thread of its own holds
        try:
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    return os.waitpid(child, 0)[1]
"""


@pytest.mark.slow
def test_many_forks_beside_a_thread_that_compiles_without_end():
    code = (
        COMMON
        + """
from cxr_enhance._kernels.jit import kernel

def new_kernel(number):
    names = {}
    exec(f"def step(x):\\n    total = 0\\n    for i in range(x):\\n"
         f"        total += i * {number}\\n    return total", names)
    return kernel(names["step"])

stop = threading.Event()
started = threading.Event()
def compile_without_end():
    number = 0
    while not stop.is_set():
        number += 1
        assert new_kernel(number)(5) == 10 * number
        started.set()

thread = threading.Thread(target=compile_without_end)
thread.start()
started.wait()
statuses = []
for number in range(20):
    time.sleep(0.01 * (number % 7))
    statuses.append(status_of_child(lambda: new_kernel(1000 + number)(5) == 10 * (1000 + number)))
stop.set()
thread.join()
print(set(statuses), len(statuses))
"""
    )
    assert (
        run_code(code, env={"CXR_ENHANCE_CACHE": "0", "NUMBA_OPT": "0"}).stdout.strip() == "{0} 20"
    )


@pytest.mark.slow
def test_a_fork_beside_the_warmup_of_another_thread_gives_the_right_bytes(tmp_path):
    image = np.random.default_rng(5).integers(0, 256, (40, 50), np.uint8)
    np.save(tmp_path / "image.npy", image)
    stretched = reference.white_balance(image, (0.05, 99.95))
    np.save(tmp_path / "expected.npy", reference.clahe(stretched, 2.0, (16, 16)))
    code = (
        COMMON
        + """
image, expected = (np.load(f"{sys.argv[1]}/{name}.npy") for name in ("image", "expected"))
thread = threading.Thread(target=cxe.enhance, args=(image,))
thread.start()
time.sleep(0.5)
first = status_of_child(lambda: np.array_equal(cxe.enhance(image), expected))
thread.join()
print(first, status_of_child(lambda: np.array_equal(cxe.enhance(image), expected)))
print(np.array_equal(cxe.enhance(image), expected))
"""
    )
    assert run_code(code, tmp_path, env={"CXR_ENHANCE_CACHE": "0"}).stdout.strip() == "0 0\nTrue"


def test_threads_may_fork_at_once():
    code = (
        COMMON
        + """
from concurrent.futures import ThreadPoolExecutor
image = np.arange(48, dtype=np.uint8).reshape(1, 16, 3)
expected = cxe.rgb_to_gray(image)
def fork(_):
    return status_of_child(lambda: np.array_equal(cxe.rgb_to_gray(image), expected))
with ThreadPoolExecutor(4) as pool:
    print(set(pool.map(fork, range(40))))
"""
    )
    assert run_code(code).stdout.strip() == "{0}"
