import dataclasses

import numpy as np
import pytest

from cxr_enhance import write_image
from cxr_models import Manifest, Record
from cxr_models.records.fingerprints import (
    fingerprint,
    fingerprints_of,
    stored_fingerprint,
    without_borders,
)
from tests.helpers.radiographs import draw


def same(one, other):
    return one.pixels == other.pixels and all(map(np.array_equal, one[1:], other[1:]))


def test_a_record_gives_back_the_fingerprint_that_its_columns_hold():
    made = fingerprint(draw(1, 200))
    record = Record(file="a", label="b", **made.columns())
    assert same(stored_fingerprint(record), made)


@pytest.mark.parametrize(
    "change",
    [{"pixels": ""}, {"hash": ""}, {"hash": "d1:00"}, {"hash": "d1:" + "x" * 128},
     {"hash": "d0:" + "0" * 128}],
)  # fmt: skip
def test_what_is_no_fingerprint_of_the_present_form_counts_as_none(change):
    record = Record(file="a", label="b", **fingerprint(draw(1, 200)).columns())
    assert stored_fingerprint(dataclasses.replace(record, **change)) is None


def test_stored_fingerprints_need_no_image_and_others_are_made(tmp_path):
    write_image(tmp_path / "b.png", draw(2, 200))
    stored = Record(file="gone.png", label="x", **fingerprint(draw(1, 200)).columns())
    records = (stored, Record(file="b.png", label="x"), Record(file="lost.png", label="x"))
    counts = []
    found = fingerprints_of(Manifest(records=records, root=tmp_path), progress=counts.append)
    assert same(found[0], fingerprint(draw(1, 200)))
    assert same(found[1], fingerprint(draw(2, 200)))
    assert found[2] is None
    assert counts == [2]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
def test_uniform_borders_go_and_what_they_surround_stays(dtype, colour):
    image = draw(3, 120).astype(dtype) * (257 if dtype == np.uint16 else 1)
    image = image[without_rows(image)]
    wide = np.pad(image, ((7, 0), (3, 11)), constant_values=np.iinfo(dtype).max)
    if colour:  # a border of one colour is uniform too
        image, wide = (np.dstack([one] * 3) for one in (image, wide))
        wide[:7] = (9, 90, 200)
    assert np.array_equal(without_borders(wide), image)


def without_rows(image):
    """Rows and columns of a drawing that are not uniform themselves, by a slow rule."""
    limit = 0.02 * (float(image.max()) - float(image.min()))
    rows = np.flatnonzero([row.std() > limit for row in image])
    columns = np.flatnonzero([column.std() > limit for column in image.T])
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def test_an_image_of_one_value_stays_as_it_is():
    image = np.full((9, 7), 5, np.uint8)
    assert without_borders(image) is image
    assert not fingerprint(image).trimmed.any()
