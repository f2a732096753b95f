"""What the workers of the benchmark do is what `run` does to a file."""

import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv


def test_a_worker_enhances_and_encodes_a_file(tmp_path):
    from benchmarks.files import read_ahead

    image = synthetic_radiograph(90, 70)
    cxe.write_image(tmp_path / "a.png", image)
    assert read_ahead.enhanced((tmp_path / "a.png").read_bytes()) > 0
