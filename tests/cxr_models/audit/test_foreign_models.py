import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("cv2", reason="cv2 is not installed")

from cxr_models.audit.foreign_models import evaluate_models, read_models
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.operating_points import Rule
from tests.helpers.foreign_tables import write_finding_table, write_table
from tests.helpers.predicted import make_finding_predictions, make_predictions
from tests.helpers.report_runs import write_images

METHOD = Method(draws=100)
PARTS = ("train", "val", "test")


@pytest.mark.parametrize("kind", ["classes", "findings"])
def test_a_train_part_that_cannot_be_audited_leaves_the_evaluation_and_a_reason(
    tmp_path, rng, kind
):
    write_images(tmp_path / "images", sets=PARTS, count=12)
    if kind == "classes":
        labels = {"train": ["virus"] * 12}
        sets = [make_predictions(rng, 12, name=part, labels=labels.get(part)) for part in PARTS]
        table = write_table(tmp_path / "t.csv", sets)
    else:
        train, *others = (make_finding_predictions(rng, 12, name=part) for part in PARTS)
        train = dataclasses.replace(train, targets=np.ones_like(train.targets))
        table = write_finding_table(tmp_path / "t.csv", [train, *others])
    models = read_models({"mine": table}, METHOD, images=tmp_path / "images")
    evaluated = evaluate_models(models)
    assert "test" in evaluated.evaluation.sets
    if kind == "classes":
        assert evaluated.audits == {}
        assert evaluated.remarks["mine"][-1] == (
            "not audited: all rows of train are of the class virus; models without lungs are "
            "trained on images of at least two classes"
        )
    else:
        border = evaluated.audits["mine"].findings["Mass"].border.roc_auc
        assert border.reason == "train does not hold known images both with it and without it"


@pytest.mark.parametrize(
    ("option", "method"),
    [
        ("--sensitivity", Method(draws=100, rule=Rule(sensitivity=0.9))),
        ("--at-specificity", Method(draws=100, specificities=(0.9,))),
    ],
)
def test_the_cures_for_a_missing_validation_part_are_allowed(tmp_path, rng, option, method):
    test, val = make_predictions(rng, 12), make_predictions(rng, 12, name="val")
    tables = {
        name: write_table(tmp_path / f"{name}.csv", [test], part=False) for name in ("one", "two")
    }
    alone = {"one": tables["one"]}
    validation = write_table(tmp_path / "val.csv", [val], part=False)
    leave_out = rf"or leave out {option}"
    with pytest.raises(ValueError, match=rf"of that part with --validation, {leave_out}"):
        read_models(alone, method)
    read_models(alone, method, validation=validation)
    read_models(alone, METHOD, threshold=0.3)
    with pytest.raises(ValueError, match=rf"Write rows of that part into its table.*{leave_out}"):
        read_models(tables, method)
    both = {name: write_table(tmp_path / f"{name}-val.csv", [test, val]) for name in ("one", "two")}
    read_models(both, method)
