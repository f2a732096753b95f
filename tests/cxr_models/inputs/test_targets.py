import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cxr_models import Manifest, ModelConfig, Record
from cxr_models.inputs.targets import check_findings, finding_targets, targets_of


def manifest_of(*cells):
    """Give a record for each pair of cells, of the findings Edema and Mass."""
    records = tuple(
        Record(
            file=f"{i}.png", label="a", findings=tuple(zip(("Edema", "Mass"), pair, strict=True))
        )
        for i, pair in enumerate(cells)
    )
    return Manifest(records=records, root=Path())


SMALL = manifest_of(("1", "0"), ("", "u"), ("0", "1"), ("u", ""))


@pytest.mark.parametrize(
    ("uncertain", "column"),
    [("unknown", [0, -1, 1, -1]), ("absent", [0, 0, 1, -1]), ("present", [0, 1, 1, -1])],
)
def test_findings_are_1_0_or_unknown_and_uncertain_ones_as_asked(uncertain, column):
    targets = finding_targets(SMALL, ["Mass"], uncertain)
    assert targets.dtype == np.int8
    assert targets.shape == (4, 1)
    assert targets[:, 0].tolist() == column


def test_columns_are_in_the_order_asked_and_a_finding_without_one_is_unknown():
    targets = finding_targets(SMALL, ["Mass", "Hernia", "Edema"])
    assert targets.tolist() == [[0, -1, 1], [-1, -1, -1], [1, -1, 0], [-1, -1, -1]]
    bare = dataclasses.replace(SMALL, records=(Record(file="a.png", label="a"),))
    assert finding_targets(bare, ["Mass"]).tolist() == [[-1]]


def test_no_records_have_no_rows():
    empty = dataclasses.replace(SMALL, records=())
    assert finding_targets(empty, ["Mass", "Edema"]).shape == (0, 2)


def test_targets_of_a_run_with_findings_are_those_of_its_findings():
    model = ModelConfig(task="multilabel", findings=("Mass",), uncertain="present")
    targets = targets_of(SMALL, ("a",), model)
    assert targets.dtype == np.int32
    assert targets[:, 0].tolist() == [0, 1, 1, -1]


def test_a_finding_that_is_no_column_is_refused_with_those_there_are():
    check_findings(SMALL, ["Mass", "Edema"])
    with pytest.raises(
        ValueError,
        match=r"`findings` must be columns finding:NAME of the split \(Edema, Mass\); got Maas\. "
        r"Did you mean Mass\?",
    ):
        check_findings(SMALL, ["Edema", "Maas"])
    bare = dataclasses.replace(SMALL, records=(Record(file="a.png", label="a"),))
    with pytest.raises(ValueError, match=r"of the split \(none\); got Mass\."):
        check_findings(bare, ["Mass"])
