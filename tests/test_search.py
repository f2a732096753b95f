"""The search of the built site: the right page is among the first three results."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest

from tests.helpers import chromium
from tests.helpers.fresh_process import ROOT

SITE = ROOT / "site"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="chromium is not installed"),
    pytest.mark.skipif(
        not (SITE / "search.html").is_file(), reason="needs sphinx-build -W docs site"
    ),
]
FIRST = """[...document.querySelectorAll("ul.search > li a")].slice(0, 3)
    .map(link => link.getAttribute("href"))"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium.new_tab(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def first_pages(tab, question):
    """List where the first three results of a question lead."""
    tab.open(f"{(SITE / 'search.html').as_uri()}?{urlencode({'q': question})}")
    for _ in range(1200):
        shown = tab.evaluate("document.querySelector('.search-summary')?.textContent ?? ''")
        if "found" in shown or "did not match" in shown:
            return [href.split("?")[0] for href in tab.evaluate(FIRST)]
        time.sleep(0.05)
    raise AssertionError(f"no answer in a minute: {question}")


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("my image is black", "faq.html#why-is-my-image-black-too-dark-or-white"),
        ("16 bit", "sixteen-bit.html"),
        ("which preset", "faq.html#which-preset"),
        ("leave one hospital out", "faq.html#how-do-i-leave-one-hospital-out"),
        ("torch dataset", "faq.html#how-do-i-get-a-dataset-for-pytorch-torch"),
        ("how long does it take", "faq.html#how-long-does-it-take"),
        ("AUC per finding", "evaluation.html"),
        ("CheXpert uncertain", "datasets.html"),
        ("subgroups", "evaluation.html#subgroups"),
        ("anonymize", "archives.html#without-identity"),
        ("grad-cam", "report.html#grad-cam"),
        ("onnx", "deployment.html"),
        ("parameter file", "tune.html"),
        ("install size", "install.html"),
        ("windows", "faq.html#does-it-run-on-windows-or-macos"),
        ("how much memory", "faq.html#how-much-memory-does-it-need"),
        ("resume", "faq.html#how-do-i-resume-a-run-that-was-stopped"),
        ("missing labels", "faq.html#what-becomes-of-missing-labels-blank-cells"),
        ("gradcam", "report.html#grad-cam"),
        ("anonymise", "archives.html#without-identity"),
    ],
)
def test_the_right_page_is_among_the_first_three(tab, question, page):
    found = first_pages(tab, question)
    assert any(href.startswith(page) for href in found), found


@pytest.mark.parametrize(
    "sentence",
    [
        "`--out` must not exist; got 'sheet.png'. Replace it with --overwrite.",
        "`image` must have dtype uint8 or uint16; got float32.",
        "`split` must name files that exist; got 2 in split.csv that do not, such as a.png.",
    ],
)
def test_an_error_that_is_pasted_leads_to_the_page_of_questions(tab, sentence):
    assert first_pages(tab, sentence)[0].startswith("faq.html")
