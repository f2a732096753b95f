from cxr_models.records.layouts.overlaps import (
    lines_on_sources,
    origins,
    overlap_notes,
    shared_origins,
)


def test_a_set_holds_what_the_sets_in_it_were_taken_from():
    assert origins("covid-qu") == {
        "covid-qu", "covid19-radiography", "rsna", "nih", "kermany", "padchest", "ieee8023",
        "cxnet",
    }  # fmt: skip
    assert shared_origins("siim-acr", "rsna") == {"nih"}
    assert shared_origins("chestmnist", "covidx") == {"nih"}
    assert shared_origins("kermany", "kermany") == {"kermany"}
    assert shared_origins("clinic", "clinic") == set()
    assert shared_origins("chexpert", "padchest") == set()


def test_index_is_told_what_a_set_shares():
    assert overlap_notes("rsna") == [
        "holds images of nih",
        "its images are in covid19-radiography, covidx too",
    ]
    assert overlap_notes("chexpert") == []


def test_a_set_that_lies_inside_what_a_model_has_seen_is_warned_of():
    assert lines_on_sources("rsna", ["nih", ""], ["rsna", ""]) == [
        "WARNING: rsna of rsna and nih, which the model has seen, both hold images of nih: rsna is "
        "no other source"
    ]
    assert lines_on_sources("clinic", ["nih"], ["clinic"]) == []
