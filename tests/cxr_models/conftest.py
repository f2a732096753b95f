"""Fixtures of the tests of the models."""

import pytest

from cxr_models.config import RunConfig
from cxr_models.records.manifest import Manifest, Record
from cxr_models.records.splits import Split, records_hash, split_records
from cxr_models.runs.facts import RunFacts
from cxr_models.runs.finished import keep_split
from cxr_models.runs.folder import RunFolder
from tests.helpers.radiographs import write_class_folders


@pytest.fixture
def small_split(tmp_path):
    """Give a split of 24 made-up radiographs of three classes, two images a patient."""
    folder = tmp_path / "images"
    names = write_class_folders(folder, count=8)
    records = [
        Record(file=name, label=name.split("/")[0], patient=name.rsplit("-", 1)[0])
        for name in names
    ]
    assigned = tuple(split_records(records, fractions=(0.5, 0.25, 0.25)))
    return Split(manifest=Manifest(records=assigned, root=folder), hash="0" * 64, seed=0)


@pytest.fixture
def finished(small_split, tmp_path):
    """Give the folder of a run that has ended, with weights that no model needs here."""
    path = tmp_path / "run"
    facts = RunFacts(
        split_sha256=records_hash(small_split.manifest.records),
        split_root=str(small_split.manifest.root),
        class_names=("covid", "normal", "virus"),
    )
    RunFolder(path=path).begin(RunConfig(), facts)
    keep_split(path, small_split)
    RunFolder(path=path).best_weights.write_bytes(b"weights")
    return path


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """Train one run of the tiny backbone, to be copied with `copy_run`."""
    import keras

    from cxr_models.training.train import train
    from tests.helpers.runs import write_small_split
    from tests.helpers.tiny_backbone import tiny_application, tiny_config

    folder = tmp_path_factory.mktemp("trained")
    split = write_small_split(folder / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "NASNetMobile", tiny_application)
        train(split, tiny_config(epochs_head=1, epochs_fine_tune=0), folder / "run")
    return folder / "run"


@pytest.fixture
def tiny_backbone(monkeypatch):
    """Put a backbone of one convolution in the place of NASNetMobile."""
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    import keras

    from tests.helpers.tiny_backbone import tiny_application

    monkeypatch.setattr(keras.applications, "NASNetMobile", tiny_application)


def pytest_collection_modifyitems(items):
    """Let Keras convert variables to arrays as it does; NumPy 2 warns of it, harmlessly."""
    for item in items:
        if "cxr_models" in item.path.parts:
            ignored = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
            item.add_marker(pytest.mark.filterwarnings(ignored))
