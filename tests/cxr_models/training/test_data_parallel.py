import json
import pickle

import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")


from cxr_models.training.computation import check_shares
from tests.helpers.findings import multilabel, write_findings_split
from tests.helpers.fresh_process import run_code
from tests.helpers.tiny_backbone import tiny_config

# Trains once on one and once on two virtual CPU devices. No dropout: its draws depend on how a
# batch is shared.
_SCRIPT = """
import json, pickle, sys
import keras, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from cxr_models._typed_json import to_json
from cxr_models.networks import classifier
from cxr_models.runs.folder import RunFolder
from cxr_models.training.train import train
from pathlib import Path
from tests.helpers.tiny_backbone import tiny_application
keras.applications.NASNetMobile = tiny_application
classifier._DROPOUTS = (0.0, 0.0)
split, config, out = pickle.load(open(sys.argv[1], "rb"))
rows = {}
for name, devices in {"one": None, "two": ["CPU:0", "CPU:1"]}.items():
    train(split, config, out / name, devices=devices)
    rows[name] = to_json(RunFolder(path=Path(out / name)).read_history())
print(json.dumps(rows))
"""


@pytest.mark.slow
@pytest.mark.parametrize("views", [0, 1], ids=["images", "kept-features"])
def test_two_devices_give_the_loss_of_one(small_split, tmp_path, views):
    config = tiny_config(epochs_head=1, epochs_fine_tune=1, cache_features=views)
    config = config.with_setting("data.rotation", 0.0).with_setting("data.flip", False)
    job = tmp_path / "job.pickle"
    job.write_bytes(pickle.dumps((small_split, config, tmp_path)))
    rows = json.loads(run_code(_SCRIPT, job).stdout.splitlines()[-1])
    assert len(rows["one"]) == len(rows["two"]) == 2
    for one, two in zip(rows["one"], rows["two"], strict=True):
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-4)
        assert two["val_loss"] == pytest.approx(one["val_loss"], abs=1e-4)


@pytest.mark.slow
def test_two_devices_count_the_known_labels_of_findings_as_one_does(tmp_path):
    split = write_findings_split(tmp_path / "images")
    config = tiny_config(epochs_head=1, epochs_fine_tune=0, learning_rate_head=0.0)
    config = multilabel(config, data__rotation=0, data__flip=False)
    job = tmp_path / "job.pickle"
    job.write_bytes(pickle.dumps((split, config, tmp_path)))
    rows = json.loads(run_code(_SCRIPT, job).stdout.splitlines()[-1])
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert rows["two"][0][name] == pytest.approx(rows["one"][0][name], abs=1e-5)


def test_a_batch_that_devices_cannot_share_evenly_is_refused():
    training = tiny_config(batch_size=4).training
    sizes = {"train": 7, "val": 3}
    check_shares(training, sizes, 1)
    with pytest.raises(ValueError, match="devices, 3, and no more than the 7 images of train"):
        check_shares(training, sizes, 3)
    with pytest.raises(ValueError, match="devices, 2, and no more than the 3 images of val; got 4"):
        check_shares(training, sizes, 2)
