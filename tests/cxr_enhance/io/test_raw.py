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


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"frame": 3}, "`frame` must be 0 with `raw`; got 3"),
        ({"window": (40, 400)}, r"`window` is only allowed without `raw`; got \(40\.0, 400\.0\)"),
        ({"voi": "none"}, "`voi` must be 'auto' with `raw`; got 'none'"),
        ({"max_pixels": 2048 * 2048 - 1}, "at most 4194303 pixels; got a raw image of 2048 x 2048"),
    ],
)
def test_options_that_cannot_apply_to_raw_pixels_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_image(bytes(8388608), raw="jsrt", **options)


def test_an_image_in_a_file_of_samples_is_not_raw(tmp_path):
    (tmp_path / "000000.tar").write_bytes(b"")
    with pytest.raises(ValueError, match=r"`raw` is only allowed for a file of its own; got .*::a"):
        read_image(f"{tmp_path}/000000.tar::a", raw="jsrt")


def test_a_number_is_no_name_of_a_raw_file():
    with pytest.raises(TypeError, match="`source` must be a file's name or its bytes; got int"):
        read_image(987_654, raw="jsrt")
    with pytest.raises(ValueError, match="without NUL"):
        read_image("a\0b", raw="jsrt")


def test_other_forms_are_refused():
    with pytest.raises(ValueError, match="`raw` must be one of jsrt; got 'nef'"):
        read_image(b"", raw="nef")
    with pytest.raises(TypeError, match="`raw` must be a str; got 1"):
        read_image(b"", raw=1)
