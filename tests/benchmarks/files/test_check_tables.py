"""The tables hold the stored figures, in the order of the findings."""

import json

import pytest

from benchmarks.files.check_tables import planted_table, untouched_table


@pytest.fixture
def stored(tmp_path):
    def figures(images, inverted):
        return {
            "images": images, "clean": 9, "told_apart_by_one_level": 9, "found": {"saturated": 1},
            "planted": [
                {"finding": "inverted", "fault": "the negative", "planted": 9, "found": inverted},
                {"finding": "blank", "fault": "one gray", "planted": 9, "found": 9},
                {"finding": "blank", "fault": "grain", "planted": 9, "found": 0},
            ],
        }  # fmt: skip

    path = tmp_path / "check.json"
    path.write_text(json.dumps({"drawn": figures(10, 8), "public": figures(2838, 7)}))
    return path


def test_a_fault_has_what_was_found_of_what_was_planted(stored):
    assert planted_table(stored).splitlines()[2:] == [
        "| `blank` | one gray | 9 of 9 | 9 of 9 |",
        "|  | grain | 0 of 9 | 0 of 9 |",
        "| `inverted` | the negative | 8 of 9 | 7 of 9 |",
    ]


def test_images_as_they_are_have_the_findings_of_pixels(stored):
    lines = untouched_table(stored).splitlines()
    assert lines[0].endswith("| 10 drawn radiographs | 2,838 public radiographs |")
    assert "| `saturated` | 1 | 1 |" in lines
    assert "| `blank` | 0 | 0 |" in lines
    assert lines[-1].endswith("| 0 of 9 | 0 of 9 |")
