import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.labels import Labeller, label_name, remark_on_spellings
from cxr_models.records.layouts.harmony import harmonised


def findings(**values):
    return tuple((name.replace("_", " "), value) for name, value in values.items())


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (findings(No_Finding="0", Edema="1", Mass="u"), "Edema"),
        (findings(No_Finding="0", Edema="1", Mass="1"), "several findings"),
        (findings(No_Finding="1", Edema="0", Mass=""), "normal"),
        (findings(No_Finding="", Edema="u", Mass=""), "uncertain"),
        (findings(No_Finding="", Edema="", Mass=""), "unknown"),
        (findings(No_Finding="", Edema="0", Mass="0"), "unknown"),
        (findings(Pneumothorax="0"), "no Pneumothorax"),
        (findings(Pneumothorax=""), "unknown"),
        (findings(unchanged="1", normal="1"), "normal"),
        ((), "unknown"),
    ],
)
def test_labels_are_made_of_findings(found, label):
    assert Labeller(Choices()).label(found) == label


@pytest.mark.parametrize(("rule", "label"), [("zero", "unknown"), ("one", "Edema")])
def test_uncertain_findings_are_absent_or_present(rule, label):
    assert Labeller(Choices(uncertain=rule)).label(findings(Edema="u", Mass="0")) == label


def test_labels_can_name_files():
    assert label_name("Nodule/Mass") == "Nodule or Mass"
    assert label_name(" a:b. ") == "a b"


def test_findings_that_become_one_are_present_if_either_is():
    assert harmonised((("Effusion", "0"), ("Pleural Effusion", "1"), ("Hump", "u"))) == (
        ("Pleural Effusion", "1"),
        ("Hump", "u"),
    )


def test_labels_that_differ_in_letter_case_alone_are_told():
    sentence = "labels 'COVID' and 'covid' differ in letter case alone; rename them if they mean"
    assert remark_on_spellings(["normal", "covid", "COVID", "covid"]).startswith(sentence)
    assert remark_on_spellings(["normal", "covid"]) == ""
