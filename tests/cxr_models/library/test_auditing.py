import json

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import cxr_models as cxm
from tests.helpers.fresh_process import run_code
from tests.helpers.radiographs import write_class_folders


@pytest.fixture
def split_file(tmp_path):
    write_class_folders(tmp_path / "images", count=8)
    manifest = cxm.index(tmp_path / "images", patient_pattern=r"\w+-p\d+")
    cxm.split(manifest, fractions=(0.5, 0.25, 0.25), out=tmp_path / "split.csv")
    return tmp_path / "split.csv"


def test_the_audit_is_that_of_the_command(split_file, capsys):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models._typed_json import to_json
    from cxr_models.cli import main

    words = ["audit", str(split_file), "--draws", "100", "--seed", "4", "--json"]
    assert main(words) == 0
    audit = cxm.audit_split(split_file, draws=100, seed=4)
    assert to_json(audit) == json.loads(capsys.readouterr().out)
    assert audit == cxm.audit_split(cxm.read_split(split_file), draws=100, seed=4)


def test_no_framework_is_needed_without_a_run(split_file):
    run_code(
        "import cxr_models as cxm\nprint(cxm.audit_split(sys.argv[1], draws=100).verdict)",
        split_file,
        without=("tensorflow", "keras", "jax", "typer"),
    )


def test_a_run_is_judged_too_and_must_be_of_the_split(split_file, tmp_path, request):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    from tests.helpers.runs import make_run

    request.getfixturevalue("tiny_backbone")
    folder = make_run(tmp_path / "run", cxm.read_split(split_file))
    said, read = [], []
    audit = cxm.audit_split(
        split_file, run=folder, draws=100, progress=read.append, say=said.append
    )
    assert 0 <= audit.run.accuracy <= 1
    assert len(read) == 24
    assert said == ["training shortcuts", "predicting the test set thrice: whole, and blanked"]
    stored = json.loads((folder / "evaluation" / "audit.json").read_text())
    assert stored["verdict"] == audit.verdict
    manifest = cxm.index(tmp_path / "images", patient_pattern=r"\w+-p\d+")
    other = cxm.split(manifest, fractions=(0.5, 0.25, 0.25), seed=9)
    with pytest.raises(ValueError, match=r"`split` must be the one that '.*run' was trained on"):
        cxm.audit_split(other, run=cxm.load_run(folder))
