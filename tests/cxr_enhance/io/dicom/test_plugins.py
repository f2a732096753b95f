"""A process forked beside a thread that reads headers reads headers too."""

from __future__ import annotations

import os

import pytest

from tests.helpers.fresh_process import run_code


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_forked_while_warnings_are_silenced_neither_waits_nor_stays_silent():
    code = """
        import os, signal, threading, time, warnings
        from cxr_enhance.io.dicom.plugins import quiet_pydicom
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        filters = list(warnings.filters)
        entered = threading.Event()
        def read_headers():
            with quiet_pydicom():
                entered.set()
                time.sleep(0.5)
        thread = threading.Thread(target=read_headers)
        thread.start()
        entered.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            with quiet_pydicom():
                pass
            os._exit(warnings.filters != filters)
        print(os.waitpid(child, 0)[1])
    """
    assert run_code(code).stdout.strip() == "0"
