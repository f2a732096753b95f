import numpy as np
import pytest

from cxr_enhance import read_image


def jsrt(rng):
    return rng.integers(0, 4096, size=(2048, 2048)).astype(np.uint16)


def test_jsrt_is_read_big_endian_and_inverted(tmp_path, rng):
    stored = jsrt(rng)
    path = tmp_path / "JPCLN001.IMG"
    path.write_bytes(stored.astype(">u2").tobytes())
    image = read_image(path, raw="jsrt")
    assert (image.dtype, image.shape) == (np.uint16, (2048, 2048))
    np.testing.assert_array_equal(image, 4095 - stored)
    np.testing.assert_array_equal(read_image(path.read_bytes(), raw="jsrt"), image)
    assert image.flags.writeable


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", r"must have 8388608 bytes; got 0\. File: .*x\.IMG"),
        (bytes(8388609), "must have 8388608 bytes; got more than 8388608"),
        (b"\x10\x00" + bytes(8388606), r"must have values of 0\.\.4095; got 4096"),
    ],
)
def test_other_content_is_refused(tmp_path, data, sentence):
    (tmp_path / "x.IMG").write_bytes(data)
    with pytest.raises(ValueError, match=sentence):
        read_image(tmp_path / "x.IMG", raw="jsrt")


def test_other_forms_are_refused():
    with pytest.raises(ValueError, match="`raw` must be one of jsrt; got 'nef'"):
        read_image(b"", raw="nef")
    with pytest.raises(TypeError, match="`raw` must be a str; got 1"):
        read_image(b"", raw=1)
