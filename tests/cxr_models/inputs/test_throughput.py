import itertools
import json
import time

import numpy as np
import pytest

from cxr_models.inputs.throughput import measure


def slow_batches(seconds):
    while True:
        time.sleep(seconds)
        yield np.zeros(4), np.zeros(4)


def test_share_of_waiting_is_that_of_the_slow_source():
    seen = measure(slow_batches(0.02), 5, lambda batch: time.sleep(0.02))
    assert 0.3 < seen.waiting_share < 0.7
    assert 20 < seen.images_per_second < 110


def test_without_a_step_all_time_is_waiting():
    assert measure(slow_batches(0.001), 3).waiting_share == 1.0


def test_too_few_batches_are_an_error():
    with pytest.raises(ValueError, match="`batches` must be at least 7; got 3"):
        measure(itertools.islice(slow_batches(0), 3), 5)


def test_the_command_prints_images_a_second(tmp_path, capsys, monkeypatch):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    from cxr_models import Record
    from cxr_models.cli import main
    from cxr_models.records.splits import split_records, write_split
    from tests.helpers.radiographs import write_class_folders

    names = write_class_folders(tmp_path, count=4)
    records = [Record(file=name, label=name.split("/")[0]) for name in names]
    write_split(tmp_path / "split.csv", split_records(records), {})
    sizes = ["--batch-size", "2", "--image-size", "32", "32", "--batches", "3"]
    assert main(["bench-pipeline", str(tmp_path / "split.csv"), *sizes]) == 0
    assert "images/s over 3 batches" in capsys.readouterr().out

    # A model that takes no time is fed faster from memory than from files, and always waits.
    monkeypatch.setattr("cxr_models.training.step.training_step", lambda *_: lambda batch: None)
    sizes += ["--backbone", "nasnet_mobile", "--json"]
    assert main(["bench-pipeline", str(tmp_path / "split.csv"), *sizes]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["batches"], result["batch_size"]) == (3, 2)
    assert result["from_memory"] > result["images_per_second"]
    assert result["waiting_share"] > 0.5
