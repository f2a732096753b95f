"""Which decoder reads what; and a process forked beside a thread that reads headers."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cxr_enhance.io.dicom.decode import decode_dicom
from cxr_enhance.io.options import ReadOptions
from tests.helpers.fresh_process import run_code

pytest.importorskip("cv2")
pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import compressed, data_set, saved  # noqa: E402
from tests.helpers.image_files import drawn  # noqa: E402

GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4


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


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (uid.JPEG2000Lossless, "pylibjpeg-openjpeg "),
        (uid.JPEGLSLossless, "pyjpegls "),
        (uid.RLELossless, "pylibjpeg-rle "),
        (None, ""),
    ],
)
def test_the_decoder_of_compressed_pixels_is_told(syntax, name):
    if syntax == uid.JPEGLSLossless:
        pytest.importorskip("jpeg_ls")
    ds = data_set(GRAY12, bits=12)
    data = saved(ds) if syntax is None else compressed(ds, syntax)
    decoder = decode_dicom(data, ReadOptions()).decoder
    assert decoder.startswith(name)
    assert bool(decoder) == bool(name)


def test_an_extra_does_not_change_the_decoder_of_lossy_jpeg(monkeypatch):
    from cxr_enhance.io.dicom import plugins

    decoder = plugins.load_pydicom("pydicom.pixels").get_decoder(uid.JPEGBaseline8Bit)
    here = decoder._available
    monkeypatch.setattr(decoder, "_available", {"pylibjpeg": None, **here})
    assert plugins.decoder_for(uid.JPEGBaseline8Bit)[1][-1] == "pylibjpeg"
    assert plugins.decoder_for(uid.JPEGBaseline8Bit)[1][0] in here
