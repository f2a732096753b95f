import doctest

import pytest

from cxr_models.library import wording
from cxr_models.library.wording import in_python, says_arguments


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Name it with --split.", "Name it with `split`."),
        ("`--input-size` must be 3.", "`input_size` must be 3."),
        ("`--format litert` cannot hold it.", "`format litert` cannot hold it."),
        ("Replace it with --overwrite", "Replace it with overwrite=True"),
        ("only allowed without --no-decode: x", "only allowed without decode=False: x"),
        (
            "Name the label, such as: --set model.positive_class=covid",
            "Name the label, such as: config={'model.positive_class': 'covid'}",
        ),
        (
            "Name the label, such as: --set 'model.positive_class=no covid'",
            "Name the label, such as: config={'model.positive_class': 'no covid'}",
        ),
        (
            "such as: --set 'model.positive_class=\"7\"'",
            "such as: config={'model.positive_class': '7'}",
        ),
        (
            "weigh as much: --set training.positive_weights=true",
            "weigh as much: config={'training.positive_weights': True}",
        ),
        (
            "Give --set training.epochs_head=50, or more.",
            "Give config={'training.epochs_head': 50}, or more.",
        ),
        (
            "`RUN` must be one. Make one with: cxr-models train --out RUN",
            "`folder` must be one. Make one with: cxr-models train --out RUN",
        ),
        (
            "got:\n  cxr-models index a --labels x\nor rename them with --labels.",
            "got:\n  cxr-models index a --labels x\nor rename them with `labels`.",
        ),
        ("a file name--with hyphens", "a file name--with hyphens"),
    ],
)
def test_options_become_arguments_and_commands_stay(sentence, expected):
    assert in_python(sentence, {"RUN": "folder"}) == expected


def test_an_option_that_is_a_setting_is_named_as_config_names_it():
    @says_arguments()
    def with_settings(*, config, weights):
        raise ValueError("Give --epochs-head 50, --weights none, or leave --cache-features out.")

    @says_arguments()
    def without_settings(seed):
        raise ValueError("Give --seed 3.")

    settings = "Give `training.epochs_head` 50, `weights` none, or leave `training.cache_features`"
    with pytest.raises(ValueError, match=settings):
        with_settings(config={}, weights="none")
    with pytest.raises(ValueError, match="Give `seed` 3"):
        without_settings(2)


def test_an_error_keeps_its_type_and_where_it_was_raised():
    @says_arguments(INPUT="images")
    def refuse(error):
        raise error

    with pytest.raises(FileExistsError, match="`out` must not exist") as caught:
        refuse(FileExistsError("`--out` must not exist"))
    assert caught.traceback[-1].name == "refuse"
    with pytest.raises(FileNotFoundError) as caught:
        refuse(FileNotFoundError(2, "No such file", "--out"))
    assert caught.value.filename == "--out"
    with pytest.raises(ValueError, match="`images` must be one"):
        refuse(ValueError("`INPUT` must be one"))


def test_the_examples_are_true():
    assert doctest.testmod(wording).failed == 0
