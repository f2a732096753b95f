"""The study's results: what is published of a run, how arms are compared, which cells are empty."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from benchmarks.study import collect, tables
from cxr_models import RunConfig
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.predictions import Predictions, write_predictions
from cxr_models.evaluation.stored import stored_sets, write_evaluation
from cxr_models.records.manifest import Manifest, Record
from cxr_models.records.overlap import Overlap, Shared
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.finished import file_sha256
from cxr_models.runs.folder import RunFolder
from tests.helpers.predicted import CLASSES, ORIGIN, make_predictions

SETTINGS = {
    "raw": RunConfig().with_setting("data.enhance", None),
    "enhanced": RunConfig(),
    "bold": RunConfig().with_setting("data.enhance.clip_limit", 6.0),
    "pad": RunConfig()
    .with_setting("data.enhance", None)
    .with_setting("data.fit", "pad")
    .with_setting("data.crop_border", True),
}
OVERLAP = Overlap(near=(Shared("1.png", "/home/2.png", "train", "near"),), patients=(), unread=0)
FACTS = RunFacts(
    split_root="/home/somebody/images",
    weights="none",
    split_sha256="s",
    class_names=CLASSES,
    overlaps={"test": OVERLAP},
)


def write_run(folder, config, rng):
    """Leave in `folder` what training and evaluation leave."""
    config = config.with_setting("model.weights", "none").with_setting("data.cache_dir", "/home/me")
    run = RunFolder(path=folder)
    run.begin(config, FACTS)
    values = {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5}
    run.write_history(
        [EpochRow(phase="scratch", epoch=0, learning_rate=1e-3, seconds=5.0, **values)]
    )
    origin = dataclasses.replace(ORIGIN, config_sha256=file_sha256(run.config_file))
    sets = [
        make_predictions(rng, name=name, overlap=OVERLAP, origin=origin)
        for name in ("train", "val", "test", "external")
    ]
    (folder / "evaluation").mkdir()
    for one in sets:
        name = "external-external" if one.kind == "external" else one.name
        write_predictions(folder / "evaluation" / f"{name}.csv", one)
    write_evaluation(folder, evaluate_sets(folder.name, sets, Method(draws=100)))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Give the folder of a study's runs; not to be written to."""
    folder = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    for seed in (1, 2):
        for arm, config in SETTINGS.items():
            write_run(folder / "arms" / f"{arm}-{seed}", config, rng)
    return folder


@pytest.fixture(scope="module")
def results(work, tmp_path_factory):
    """Give what was collected of it."""
    folder = tmp_path_factory.mktemp("results")
    collect.main(work, folder)
    return folder


@pytest.fixture
def study(results):
    return tables.Study(results)


def test_what_is_published_names_no_file_folder_or_patient(results, work):
    written = sorted(results.iterdir())
    assert [path.stem for path in written] == [
        *(f"arms-{arm}-{seed}" for arm in sorted(SETTINGS) for seed in (1, 2)),
        "comparisons",
    ]
    for path in written:
        text = path.read_text()
        for secret in (".png", "/home", "/images", "test-0", str(work)):
            assert secret not in text


def test_arms_are_compared_on_the_mean_of_their_seeds(study, work):
    results = next(c for c in study["comparisons"] if (c["arm"], c["set"]) == ("enhanced", "test"))
    accuracies = {
        arm: [
            np.mean(test.logits.argmax(axis=1) == test.outcomes().targets)
            for seed in (1, 2)
            for test in stored_sets(work / "arms" / f"{arm}-{seed}")
            if test.name == "test"
        ]
        for arm in ("raw", "enhanced")
    }
    means = {arm: np.mean(values) for arm, values in accuracies.items()}
    accuracy = results["accuracy"]
    assert accuracy["raw"]["value"] == pytest.approx(means["raw"], abs=1e-12)
    assert accuracy["arm"]["value"] == pytest.approx(means["enhanced"], abs=1e-12)
    difference = accuracy["difference"]
    assert difference["value"] == pytest.approx(means["enhanced"] - means["raw"], abs=1e-12)
    assert difference["interval"][0] < difference["value"] < difference["interval"][1]
    assert results["seeds"]["2"]["accuracy"] == [accuracies[arm][1] for arm in ("enhanced", "raw")]


def test_what_a_run_predicted_is_read_once(work, monkeypatch):
    read = []
    monkeypatch.setattr(
        collect, "stored_sets", lambda folder: read.append(folder) or stored_sets(folder)
    )
    collect.arms_compared(work)
    assert sorted(path.name for path in read) == [
        f"{arm}-{seed}" for arm in sorted(SETTINGS) for seed in (1, 2)
    ]


def test_arms_of_other_settings_are_not_compared(work, tmp_path):
    shutil.copytree(work, tmp_path / "work")
    folder = tmp_path / "work" / "arms" / "raw-2"
    config = RunConfig.from_json((folder / "config.json").read_text())
    shutil.rmtree(folder)
    rng = np.random.default_rng(0)
    write_run(folder, config.with_setting("training.epochs_head", 3), rng)
    with pytest.raises(ValueError, match="must hold arms of equal settings; those of enhanced"):
        collect.arms_compared(tmp_path / "work")


def test_a_source_is_told_from_the_others_by_rank_and_at_a_tenth_of_false_alarms(tmp_path):
    scores = {"hannover": [3.0, 1.5, -2.0], "nih_cxr14": [*np.arange(-9.0, 0.0), 0.5, 2.0]}
    sources = [source for source, values in scores.items() for _ in values]
    logits = np.array([[0.0, value] for values in scores.values() for value in values])
    made = [
        Predictions(
            name=name,
            kind=name,
            manifest=Manifest(
                records=tuple(
                    Record(
                        file=f"{name}{i}.png",
                        label="covid" if source == "hannover" else "normal",
                        patient=f"{name}{i // 2}",
                        source=source,
                        split=name,
                    )
                    for i, source in enumerate(sources)
                ),
                root=tmp_path,
            ),
            class_names=("not covid", "covid"),
            labels=("covid", "normal"),
            logits=logits,
            probabilities=softmax(logits),
            origin=ORIGIN,
        )
        for name in ("train", "test")
    ]
    (tmp_path / "evaluation").mkdir()
    for one in made:
        write_predictions(tmp_path / "evaluation" / f"{one.name}.csv", one)
    results = collect.source_results(tmp_path)
    assert results == {
        "hannover": {
            "images": 3,
            "patients": 2,
            "roc_auc": pytest.approx((11 + 10 + 7.5) / 33),
            "found": pytest.approx(2 / 3),  # above 0.5, where 1 of 11 lies
            "false_alarms": pytest.approx(1 / 11),
            "trained_images": 3,
            "trained_patients": 2,
        }
    }


def test_a_seed_that_one_arm_lacks_is_left_out_of_the_comparison(work, tmp_path):
    shutil.copytree(work, tmp_path / "work")
    (tmp_path / "work" / "arms" / "bold-2" / "evaluation" / "evaluation.json").unlink()
    results = {c["arm"]: c["seeds"] for c in collect.arms_compared(tmp_path / "work")}
    assert {arm: list(seeds) for arm, seeds in results.items()} == {
        "enhanced": [1, 2],
        "bold": [1],
        "pad": [1, 2],
    }


def test_the_mean_of_equal_runs_is_each_of_them(rng):
    outcomes = make_predictions(rng).outcomes()
    one, counts = ImageStatistics(outcomes), np.ones((1, 30))
    mean = collect.MeanOfRuns([one, one])
    assert mean.num_patients == 30
    for name, value in one(counts).items():
        np.testing.assert_allclose(mean(counts)[name], value, rtol=1e-15)


def test_before_a_cell_is_run_with_the_settings_of_the_study_a_sentence_and_one_command_stand(
    study,
):
    assert tables.grid_table(study) == "None of the twelve cells was run with these settings."
    assert "CXR_STUDY_CELLS" not in tables.grid_commands(study)
    assert "benchmarks/study/run.sh prepare grid collect" in tables.grid_commands(study)


@pytest.mark.parametrize(("group", "write"), [("grid", "grid_table"), ("table", "small_table")])
def test_cells_show_what_was_learned_and_where_none_was_run(work, tmp_path, group, write):
    shutil.copytree(work / "arms" / "raw-1", tmp_path / "work" / group / "resnet101-binary-raw")
    collect.main(tmp_path / "work", tmp_path / "results")
    study = tables.Study(tmp_path / "results")
    rows = getattr(tables, write)(study).splitlines()[2:]
    assert len(rows) == 16  # twelve cells, and two shortcuts for each task
    (run,) = [row for row in rows if "not run here" not in row and " alone |" not in row]
    how = " from scratch, 224, 1 |" if group == "grid" else ""
    assert run.startswith(f"| covid or not | ResNet101, raw |{how} 0.")
    assert run.endswith("| 1.00 to 1.00 |  |")
    assert [row.split(" | ")[-1] for row in rows if ", enhanced |" in row] == [
        "95 |", "90 |", "97.45 |", "100 |", "98 |", "100 |",
    ]  # fmt: skip
    commands = tables.grid_commands(study)
    assert "resnet101 binary raw" not in commands
    if group == "grid":
        assert commands.count("\n") == 13  # eleven cells, the script and the fence


def test_small_runs_of_two_configurations_are_refused(work, tmp_path):
    for number, cell in enumerate(("resnet101-binary-raw", "resnet101-binary-enhanced")):
        folder = tmp_path / "work/table" / cell
        shutil.copytree(work / "arms" / "raw-1", folder)
        config = RunConfig.from_json((folder / "config.json").read_text())
        changed = config.with_setting("data.image_size", (96 + 32 * number,) * 2)
        (folder / "config.json").write_text(changed.to_json())
    collect.main(tmp_path / "work", tmp_path / "results")
    with pytest.raises(ValueError, match=r"must have one configuration.* 128, 1 and .* 96, 1"):
        tables.small_table(tables.Study(tmp_path / "results"))


def test_the_data_are_counted_by_set_source_and_label(study):
    rows = tables.data_table(study).splitlines()
    assert rows[0].startswith("| set | source | images | patients | ")
    sets = study["arms-raw-1"]["evaluation"]["sets"]
    counted = [[int(cell) for cell in row.split(" | ")[2:4]] for row in rows[2:]]
    assert counted == [
        [values["images"], values["patients"]]
        for name in ("train", "val", "test", "external")
        for values in sets[name]["by_source"].values()
    ]
    for row in rows[2:]:
        images, _, *labels = (int(cell.strip(" |")) for cell in row.split(" | ")[2:])
        assert sum(labels) == images


def test_operating_points_of_each_run_are_shown_inside_and_outside(study):
    rows = tables.points_table(study).splitlines()[2:]
    assert len(rows) == 8
    run = study["arms-pad-2"]["evaluation"]["sets"]
    cells = rows[-1].strip("| ").split(" | ")
    assert cells[:2] == ["raw, border cropped, padded", "2"]
    for place, name in enumerate(("test", "external")):
        point = run[name]["classes"]["covid"]["operating_point"]
        for offset, value in enumerate((point["sensitivity"], point["specificity"])):
            assert cells[2 + 3 * place + offset].startswith(f"{value['value']:.3f}")


def test_arms_are_written_seed_by_seed(study):
    first = study["comparisons"][0]["seeds"]
    rows = tables.arms_table(study).splitlines()
    row = next(row for row in rows if row.startswith("| test | enhanced |"))
    assert ", ".join(f"{seed['accuracy'][0]:.3f}" for seed in first.values()) in row


def test_a_result_that_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"must hold comparisons\.json; they lack it"):
        tables.arms_table(tables.Study(tmp_path))


def test_a_stored_study_is_json_of_numbers_and_words(results):
    document = json.loads((results / "arms-raw-1.json").read_text())
    assert document["config"]["data"]["cache_dir"] is None
    assert "split_root" not in document["run"]
    assert "curves" not in document["evaluation"]["sets"]["test"]
