import numpy as np

from cxr_models.evaluation.units import joined_records
from cxr_models.records.manifest import Record


def joined(*records):
    """Return the record of the unit of all these records."""
    (record,) = joined_records(records, [range(len(records))], np.zeros(len(records), np.int64))
    return record


def test_a_unit_has_the_first_cell_that_is_not_empty_of_each_further_column():
    one = joined(
        Record(file="c", label="x", sex="M", age="70", date="20200101", pixels="3", hash="3"),
        Record(
            file="b", label="x", sex="F", kept=(("dose", "low"), ("site", "")),
            findings=(("TB", "1"), ("Mass", "")), pixels="2",
        ),
        Record(
            file="a", label="x", sex=" ", kept=(("dose", " "), ("ward", "4")),
            findings=(("TB", ""), ("Mass", "0")),
        ),
    )  # fmt: skip
    assert (one.file, one.sex, one.age, one.date) == ("a", "F", "70", "20200101")
    assert one.kept == (("dose", "low"), ("ward", "4"), ("site", ""))
    assert one.findings == (("TB", "1"), ("Mass", "0"))
    assert (one.pixels, one.hash) == ("", "")  # those of the file itself


def test_a_column_that_no_image_states_stays_empty():
    one = joined(Record(file="b", label="x"), Record(file="a", label="x"))
    assert (one.sex, one.kept, one.findings) == ("", (), ())
