import warnings

import pytest

from cxr_models.library.warned import warns_beside
from cxr_models.library.wording import says_arguments

LINES = ["predicting: 3 images", "WARNING: 2 are copies:", "  a.png: equal", "m: WARNING: 1 is not"]


@says_arguments()
def public(say=None):
    tell = warns_beside(say)
    for line in LINES:
        tell(line)


@pytest.mark.parametrize("listened", [False, True])
def test_lines_that_warn_are_warnings_of_the_calling_line_and_all_lines_are_said(listened):
    said = []
    with pytest.warns(UserWarning, match=" ") as warned:
        public(said.append if listened else None)
    assert said == (LINES if listened else [])
    assert [str(warning.message) for warning in warned] == ["2 are copies", "m: 1 is not"]
    assert {warning.filename for warning in warned} == {__file__}


def test_warnings_are_filtered_as_others():
    with warnings.catch_warnings(record=True) as warned:
        warnings.filterwarnings("ignore", module=__name__.replace(".", r"\."))
        public()
    assert not warned
    with warnings.catch_warnings(action="error"), pytest.raises(UserWarning, match="2 are copies"):
        public()
