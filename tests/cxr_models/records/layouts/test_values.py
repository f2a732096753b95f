import pytest

from cxr_models.records.layouts.values import (
    FindingsOf,
    age_in,
    age_of,
    date_of,
    finding_of,
    listed,
    sex_of,
    view_of,
)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (("1", "1.0", " 1.0 ", "True", "YES"), "1"),
        (("0", "0.0", "False", "no"), "0"),
        (("-1", "-1.0", "u"), "u"),
        (("", " ", "nan"), ""),
    ],
)
def test_findings_are_four_values(words, value):
    assert {finding_of(word) for word in words} == {value}


def test_another_word_for_a_finding_is_refused():
    with pytest.raises(ValueError, match=r"must be 1, 0, -1, u or empty; got '2'"):
        finding_of("2")


def test_equal_rows_share_their_findings():
    findings = FindingsOf(("A", "B"))
    first = findings(("1.0", ""))
    assert first == (("A", "1"), ("B", ""))
    assert findings(("1.0", "")) is first
    assert findings(("1", "0"))[0] == first[0]


def test_findings_that_are_listed_are_present_and_no_list_says_nothing():
    findings = FindingsOf(("A", "B"))
    assert findings.listed(["B"]) == (("A", "0"), ("B", "1"))
    assert findings.listed([]) == (("A", ""), ("B", ""))
    with pytest.raises(ValueError, match=r"a finding must be one of A, B; got 'C'\."):
        findings.listed(["B", "C"])


@pytest.mark.parametrize(
    ("words", "view"),
    [
        (("PA", "pa", "postero-anterior", " PA "), "PA"),
        (("AP", "antero-posterior", "AP erect"), "AP"),
        (("AP Supine", "AP_horizontal", "AP-supine"), "AP-supine"),
        (("L", "LL", "RL", "LATERAL", "Lateral", "left lateral"), "L"),
        (("COSTAL", "LAO", "RAO", "RLO", "LLD", "EXCLUDE", "Axial"), "other"),
        (("", "nan", "Frontal", "UNK"), ""),
    ],
)
def test_views_have_five_names_and_none(words, view):
    assert {view_of(word) for word in words} == {view}


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("58", "058Y"), ("58.0", "058Y"), ("058Y", "058Y"), ("0", "000Y"), ("45yrs", "045Y"),
        ("85 or more", "085Y"), ("006M", "006M"), ("8 months", "008M"), ("412", ""), ("412Y", ""),
        ("", ""), ("unknown", ""), ("nan", ""),
    ],
)  # fmt: skip
def test_ages_are_written_as_dicom_does(text, age):
    assert age_of(text) == age


def test_ages_of_birth_years():
    assert age_in(2017, "1950.0") == "067Y"
    assert [age_in(2017, born) for born in ("", "nan", "2020", "1850")] == ["", "", "", ""]


def test_sexes_and_dates():
    assert [sex_of(word) for word in ("Male", "f", "Unknown", "O")] == ["M", "F", "", "O"]
    assert [date_of(text) for text in ("21800506", "January 2, 2020", "Spring 2, 2020", "")] == [
        "2180-05-06", "2020-01-02", "Spring 2, 2020", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("Effusion|Mass", ["Effusion", "Mass"]),
        ("No Finding", ["No Finding"]),
        ("['cardiomegaly', ' pneumonia', '']", ["cardiomegaly", "pneumonia"]),
        ("['a', nan]", ["a", "nan"]),
        ("[]", []),
        ("['cut off', 'here", ["cut off", "here"]),
        ("[1 + 1]", ["1 + 1"]),
    ],
)
def test_lists_are_joined_by_bars_or_python_literals_and_never_run(text, items):
    assert listed(text) == items
