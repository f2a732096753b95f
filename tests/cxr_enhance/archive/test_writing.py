"""A line of bright letters near the border is writing; markers, rulers and anatomy are not."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance.archive.writing import holds_writing
from cxr_enhance.synthetic import synthetic_radiograph

cv2 = pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv


def with_text(image, text, where, *, height=16, value=None):
    """Write on a black strip, as devices do in the collimated border."""
    thickness = max(height // 10, 1)
    (_, drawn), _ = cv2.getTextSize("DOE", cv2.FONT_HERSHEY_SIMPLEX, 1, thickness)
    scale = height / drawn
    (width, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    strip = np.zeros((2 * tall, width + 8), np.uint8)
    origin = (4, tall + tall // 2)
    cv2.putText(strip, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    white = int(image.max()) if value is None else value
    result = image.copy()
    top = 4 if where == "top" else image.shape[0] - strip.shape[0] - 4
    if where == "middle":
        top = image.shape[0] // 2
    result[top : top + strip.shape[0], 4 : 4 + strip.shape[1]] = (
        strip.astype(np.float64) * white / 255
    )
    return result


@pytest.mark.parametrize("text", ["DOE JANE 1950-01-02", "PORTABLE", "12.03.2020 14:55"])
@pytest.mark.parametrize("where", ["top", "bottom"])
@pytest.mark.parametrize(("size", "height"), [((500, 450), 14), ((1900, 1700), 40)])
@pytest.mark.parametrize("bits", [8, 12])
def test_a_line_of_letters_near_the_border_is_found(text, where, size, height, bits):
    image = synthetic_radiograph(*size, bits=bits)
    assert holds_writing(with_text(image, text, where, height=height))


@pytest.mark.parametrize("quality", [75, 95])
def test_compression_does_not_hide_it(quality):
    written = with_text(synthetic_radiograph(500, 450), "DOE JANE 1950-01-02", "top")
    _, data = cv2.imencode(".jpg", written, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert holds_writing(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize("text", ["L", "AP", "R  L"])
def test_markers_of_a_few_letters_are_none(text):
    assert not holds_writing(with_text(synthetic_radiograph(500, 450), text, "top", height=30))


def test_writing_in_the_middle_or_in_gray_is_not_looked_for():
    image = synthetic_radiograph(500, 450)
    assert not holds_writing(with_text(image, "DOE JANE 1950", "middle"))
    assert not holds_writing(with_text(image, "DOE JANE 1950", "top", value=120))


def test_a_ruler_is_no_writing():
    image = synthetic_radiograph(500, 450)
    image[-30:] = 0
    for left in range(20, 430, 10):
        image[-24:-10, left : left + 3] = 255
    assert not holds_writing(image)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 2), (64, 64)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_of_any_shape_is_none(rng, shape, dtype):
    assert not holds_writing(rng.integers(0, 256, shape).astype(dtype))
