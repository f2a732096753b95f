import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_enhance.tuner.source import Files, source_of_array, source_of_bytes, source_of_file
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

READ = ReadOptions()


@pytest.fixture
def folder(tmp_path):
    """Give a folder of three images, a text, a hidden file and a broken image."""
    (tmp_path / "below").mkdir()
    cxe.write_image(tmp_path / "a.png", synthetic_radiograph(40, 30))
    cxe.write_image(tmp_path / "below" / "c.png", synthetic_radiograph(40, 30, bits=16))
    cxe.write_image(tmp_path / "d.jpg", synthetic_radiograph(40, 30))
    (tmp_path / "b.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    return tmp_path


def test_a_file_is_read_as_read_image_does(folder):
    path = str(folder / "a.png")
    source = source_of_file(path, READ)
    assert_same_image(source.decoded.image, cxe.read_image(path))
    assert (source.name, source.path, source.is_dicom) == ("a.png", path, False)
    dropped = source_of_bytes("x.png", (folder / "a.png").read_bytes(), READ)
    assert_same_image(dropped.decoded.image, source.decoded.image)
    assert dropped.path == "x.png"


def test_files_of_a_folder_are_gone_through_and_what_is_no_image_is_left_out(folder):
    files = Files([str(folder)])
    assert files.step(1, READ).name == "a.png"
    with pytest.raises(ValueError, match=r"File: 'cut\.png'"):
        files.step(1, READ)
    assert files.step(1, READ).name == "d.jpg"
    assert files.step(1, READ).name == "c.png"
    assert files.step(1, READ) is None
    assert files.step(-1, READ).name == "d.jpg"


def test_a_file_that_cannot_be_read_is_named_and_the_next_step_goes_on_from_it(folder):
    files = Files([str(folder)])
    assert files.step(1, READ).name == "a.png"
    (folder / "b.txt").unlink()
    with pytest.raises(FileNotFoundError):
        files.step(1, READ)
    with pytest.raises(ValueError, match=r"File: 'cut\.png'"):
        files.step(1, READ)
    few = ReadOptions(max_pixels=1000)
    with pytest.raises(ValueError, match="max_pixels"):
        files.step(1, few)
    assert files.step(1, READ).name == "c.png"
    with pytest.raises(ValueError, match="max_pixels"):
        files.step(-1, few)
    (folder / "below" / "c.png").unlink()
    with pytest.raises(FileNotFoundError):
        files.step(1, READ)
    assert files.step(1, READ) is None
    assert files.step(-1, READ).name == "d.jpg"


def test_a_single_file_that_is_no_image_says_so(folder):
    with pytest.raises(ValueError, match=r"`source` must hold a whole .* File: 'b\.txt'\."):
        Files([str(folder / "b.txt")]).step(1, READ)


def test_a_file_that_is_named_among_others_and_is_no_image_says_so(folder):
    files = Files([str(folder / "a.png"), str(folder / "b.txt"), str(folder / "d.jpg")])
    assert files.step(1, READ).name == "a.png"
    with pytest.raises(ValueError, match=r"`source` must hold a whole .* File: 'b\.txt'\."):
        files.step(1, READ)
    assert files.step(1, READ).name == "d.jpg"


def test_paths_that_hold_no_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must hold a file; got an empty folder"):
        Files([str(tmp_path)])
    with pytest.raises(FileNotFoundError):
        Files([str(tmp_path / "missing")])


def test_no_paths_are_no_files():
    assert Files([]).step(1, READ) is None


def test_an_array_is_copied_and_loses_its_channel_of_one():
    image = synthetic_radiograph(40, 30)[..., np.newaxis]
    source = source_of_array(image)
    assert_same_image(source.decoded.image, image[..., 0])
    image[:] = 0
    assert source.decoded.image.any()
