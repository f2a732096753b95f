import numpy as np

from cxr_enhance import write_image
from cxr_models import Manifest, Record
from cxr_models.records.overlap import (
    Part,
    SeenImages,
    Shared,
    decoded_once,
    overlap_lines,
    shared_lines,
)
from tests.helpers.radiographs import draw


def written(folder, images, **columns):
    folder.mkdir()
    records = []
    for name, image in images.items():
        write_image(folder / name, np.ascontiguousarray(image))
        records.append(Record(file=name, label="x", **columns.get(name.split(".")[0], {})))
    return Manifest(records=tuple(records), root=folder)


def test_sets_share_equal_pixels_near_copies_and_patients_whatever_their_paths(tmp_path):
    seen = written(
        tmp_path / "seen",
        {"a.png": draw(1, 200), "b.png": draw(2, 200), "c.png": draw(3, 200)},
        c={"patient": "P7", "source": "one"},
    )
    tested = written(
        tmp_path / "tested",
        {
            "w.tif": draw(2, 200),
            "x.png": 255 - draw(1, 200),
            "y.png": draw(30, 200),
            "z.png": draw(31, 200),
        },
        y={"patient": "p7", "source": "one"},
        z={"patient": "P7", "source": "two"},
    )
    overlap = SeenImages([Part("train", seen)]).overlap(tested)
    assert overlap.equal == (Shared("w.tif", "b.png", "train", "equal"),)
    assert overlap.near == (Shared("x.png", "a.png", "train", "inverted"),)
    assert overlap.patients == (Shared("y.png", "c.png", "train", "patient"),)
    assert overlap.unread == 0
    assert overlap_lines("clinic", overlap) == [
        "WARNING: 1 image of clinic is a near copy of images that the model has seen:",
        "  x.png: inverted, a.png in train",
        "WARNING: 1 image of clinic is of a patient, by source and id, whom the model has seen:",
        "  y.png: patient, c.png in train",
    ]


def test_sets_that_share_nothing_are_not_spoken_of(tmp_path):
    seen = written(tmp_path / "seen", {"a.png": draw(1, 200)}, a={"patient": "unknown"})
    tested = written(tmp_path / "tested", {"b.png": draw(2, 200)}, b={"patient": "unknown"})
    assert overlap_lines("x", SeenImages([Part("train", seen)]).overlap(tested)) == []


def test_images_are_decoded_once_and_that_is_said(tmp_path):
    seen = written(tmp_path / "seen", {"a.png": draw(1, 200), "b.png": draw(2, 200)})
    said = []
    once = decoded_once(seen, say=said.append)
    assert len(said) == 1
    assert "decoding 2 images" in said[0]
    for record in seen.records:
        (tmp_path / "seen" / record.file).unlink()
    assert decoded_once(once, say=said.append) == once
    assert len(said) == 1
    overlap = SeenImages([Part("train", once)]).overlap(once)
    assert [one.file for one in overlap.equal] == ["a.png", "b.png"]


def test_images_that_cannot_be_read_are_counted(tmp_path):
    seen = written(tmp_path / "seen", {"a.png": draw(1, 200), "b.png": draw(2, 200)})
    (tmp_path / "seen/b.png").unlink()
    overlap = SeenImages([Part("train", seen)]).overlap(seen)
    assert [one.file for one in overlap.equal] == ["a.png"]
    assert overlap.unread == 2
    assert overlap_lines("x", overlap)[-1:] == ["x: 2 images cannot be read or compared"]


def test_of_many_files_ten_are_named():
    shared = [Shared(f"{i}.png", "a.png", "train", "equal") for i in range(12)]
    assert shared_lines(shared)[9:] == ["  9.png: equal, a.png in train", "  and 2 more"]
