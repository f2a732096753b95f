import shutil

import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

import cxr_models as cxm
from cxr_models.training.train import train
from tests.helpers.runs import write_small_split
from tests.helpers.tiny_backbone import tiny_config

pytestmark = pytest.mark.usefixtures("tiny_backbone")


class StopAtOnce(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


@pytest.mark.parametrize("backups", ["kept", "removed"])
def test_neither_command_nor_library_trains_on_a_run_that_has_ended(tmp_path, capsys, backups):
    from cxr_models.cli import main

    write_small_split(tmp_path)
    out, config = tmp_path / "run", tiny_config()
    (tmp_path / "config.json").write_text(config.to_json())
    options = {"out": out, "config": config}
    cxm.train(tmp_path / "split.csv", **options, callbacks=[StopAtOnce()])
    if backups == "removed":
        shutil.rmtree(out / "backup")
    (out / "curves.png").unlink()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    words = ["--config", str(tmp_path / "config.json"), "--out", str(out)]
    assert main(["train", str(tmp_path / "split.csv"), *words]) == 0
    assert "this run has ended and is not trained again\n" in capsys.readouterr().out
    assert (out / "curves.png").is_file()
    cxm.train(tmp_path / "split.csv", **options)
    train(cxm.read_split(tmp_path / "split.csv"), config, out)
    for path, content in before.items():
        assert path.read_bytes() == content, path
