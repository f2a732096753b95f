import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.layouts.facts import ImageRow
from cxr_models.records.manifest import COLUMNS, FURTHER_COLUMNS
from cxr_models.records.recording import record_rows


def recorded(rows, columns=(), **choices):
    return record_rows(rows, Choices(**choices), columns=columns)


@pytest.mark.parametrize("name", [*COLUMNS, *FURTHER_COLUMNS, "finding:Mass", ""])
def test_columns_that_mean_something_in_a_manifest_cannot_be_kept(name):
    row = ImageRow(file="a.png", label="a", kept=((name, "x"),))
    with pytest.raises(ValueError, match=f"`--keep` must name columns that mean .* got '{name}'"):
        recorded([row], {name}, keep=(name,))


@pytest.mark.parametrize("name", ["ward", "Hash", "finding:"])
def test_columns_that_mean_nothing_in_a_manifest_are_kept(name):
    row = ImageRow(file="a.png", label="a", kept=((name, "x"),))
    assert recorded([row], {name}, keep=(name,)).records[0].kept == ((name, "x"),)
