"""What became of a file, on its way from a worker."""

from __future__ import annotations

import pytest

from cxr_enhance import Transform
from cxr_enhance.archive.hints import Hint
from cxr_enhance.archive.outcome import Outcome

TRANSFORM = Transform(
    source_size=(90, 60), crop=(5, 0, 80, 60), scaled_size=(40, 30), pad=(0, 0, 5, 5)
)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("a.png", "b.png", "failed", "it's broken \udcff", transient=True),
        Outcome("a.png", "b.png", "written", hints=(Hint("kind", "A sentence."),)),
        Outcome("a.png", "b.png", "written", output_size=7, transform=TRANSFORM),
    ],
)
def test_an_outcome_survives_json(outcome):
    assert Outcome.from_json(outcome.to_json()) == outcome
