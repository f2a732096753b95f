import csv
import dataclasses
import json
import shlex
import shutil

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import h5py

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import metrics

from cxr_enhance import read_image, write_image
from cxr_models.cli import main
from cxr_models.inference import predict_sets as module
from cxr_models.inference.logits import logits_model
from cxr_models.inference.predict_sets import predict_sets
from cxr_models.inputs.loader import ImageLoader
from cxr_models.networks.load import load_classifier
from cxr_models.records.manifest import Record, write_manifest
from cxr_models.records.splits import fold_records, read_split, write_split
from cxr_models.runs.finished import read_run
from cxr_models.runs.folder import RunFolder
from cxr_models.training.train import train
from tests.helpers.fresh_process import run_code
from tests.helpers.radiographs import draw, write_class_folders
from tests.helpers.report_runs import write_finding_run
from tests.helpers.runs import copy_run
from tests.helpers.tiny_backbone import tiny_config

pytestmark = pytest.mark.usefixtures("tiny_backbone")

SHORT = {"epochs_head": 1, "epochs_fine_tune": 0}
FEW = ["--draws", "100"]


def trained(split, path, **settings):
    config = tiny_config(**SHORT)
    for name, value in settings.items():
        config = config.with_setting(name.replace("__", "."), value)
    train(split, config, path)
    return path


@pytest.fixture
def split_file(small_split):
    path = small_split.manifest.root / "split.csv"
    write_split(path, small_split.manifest.records, {"seed": 0})
    return path


@pytest.fixture
def run(trained_run, split_file, tmp_path):
    return copy_run(trained_run, tmp_path / "run", split_file.parent)


@pytest.fixture
def elsewhere(tmp_path):
    """Write images of two labels from another source."""
    names = write_class_folders(tmp_path / "clinic", ("covid", "normal"), 6, size=60)
    records = [Record(file=name, label=name.split("/")[0], source="clinic") for name in names]
    write_manifest(tmp_path / "clinic/clinic.csv", records)
    return tmp_path / "clinic/clinic.csv"


def result_of(capsys, *arguments):
    assert main(["evaluate", *map(str, arguments), "--json", *FEW]) == 0
    return json.loads(capsys.readouterr().out)


def table_of(run, name):
    lines = (run / f"evaluation/{name}.csv").read_text().splitlines()
    return list(csv.DictReader(lines[1:]))


def test_the_numbers_are_those_of_the_saved_predictions(run, elsewhere, capsys):
    result = result_of(capsys, run, "--external", elsewhere)
    assert list(result["sets"]) == ["train", "val", "test", "clinic"]
    for name, file in (("train", "train"), ("test", "test"), ("clinic", "external-clinic")):
        rows = table_of(run, file)
        true = [row["label"] for row in rows]
        shares = {
            c: [float(row[f"probability:{c}"]) for row in rows] for c in result["class_names"]
        }
        said = [max(shares, key=lambda c, i=i: shares[c][i]) for i in range(len(rows))]
        one = result["sets"][name]
        assert one["overall"]["accuracy"]["value"] == metrics.accuracy_score(true, said)
        labels = result["class_names"]
        expected = metrics.confusion_matrix(true, said, labels=labels).tolist()
        assert one["confusion"]["counts"] == expected
        area = metrics.roc_auc_score([t == "covid" for t in true], shares["covid"])
        assert one["classes"]["covid"]["roc_auc"]["value"] == pytest.approx(area)
    assert result["sets"]["clinic"]["classes"]["virus"]["recall"]["value"] is None
    assert json.loads((run / "evaluation/evaluation.json").read_text()) == result


def test_saved_probabilities_are_those_of_the_model(run):
    finished = read_run(run)
    test = next(one for one in predict_sets(finished, {}) if one.kind == "test")
    model = load_classifier(finished)
    images = ImageLoader(finished.config.data)(test.manifest.paths())
    np.testing.assert_allclose(
        model.predict(images, verbose=0), test.probabilities, rtol=1e-5, atol=1e-7
    )


def test_one_class_against_the_rest_is_told_from_both(split_file, tmp_path, capsys):
    run = trained(read_split(split_file), tmp_path / "binary", model__task="binary")
    result = result_of(capsys, run)
    assert result["class_names"] == ["not covid", "covid"]
    assert set(result["sets"]["test"]["labels"]) == {"covid", "normal", "virus"}
    finished = read_run(run)
    test = next(one for one in predict_sets(finished, {}) if one.kind == "test")
    model = load_classifier(finished)
    images = ImageLoader(finished.config.data)(test.manifest.paths())
    covid = model.predict(images, verbose=0)[:, 0]
    np.testing.assert_allclose(covid, test.probabilities[:, 1], rtol=1e-5)
    true = [record.label == "covid" for record in test.manifest.records]
    assert result["sets"]["test"]["overall"]["accuracy"]["value"] == np.mean((covid > 0.5) == true)


def test_predictions_are_made_once_and_again_when_anything_has_changed(run, monkeypatch, capsys):
    loaded = []
    load = module._load
    monkeypatch.setattr(module, "_load", lambda run: loaded.append(1) or load(run))
    first = result_of(capsys, run)
    assert result_of(capsys, run) == first
    assert len(loaded) == 1
    with h5py.File(run / "best.weights.h5", "a") as file:
        file["layers/dense/vars/0"][...] = -file["layers/dense/vars/0"][...]
    assert main(["evaluate", str(run), "--from-predictions", *FEW]) == 1
    assert "whose weights have changed since" in capsys.readouterr().err
    second = result_of(capsys, run)
    assert len(loaded) == 2
    assert second["weights_sha256"] != first["weights_sha256"]
    image = read_run(run).split.select("test").paths()[0]
    with open(image, "ab") as file:
        file.write(b" ")
    result_of(capsys, run)
    assert len(loaded) == 3


def test_predictions_are_judged_without_tensorflow_weights_or_images(run, elsewhere, capsys):
    result = result_of(capsys, run, "--external", elsewhere)
    (run / "best.weights.h5").unlink()
    for path in read_run_paths(run):
        path.unlink()
    code = (
        "import sys\n"
        "from cxr_models.cli import main\n"
        f"assert main(['evaluate', {str(run)!r}, '--from-predictions', '--json', '--draws', '100'])"
        " == 0\n"
        "found = {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)\n"
        "assert not found, found"
    )
    assert json.loads(run_code(code).stdout) == result


def read_run_paths(run):
    root = json.loads((run / "run.json").read_text())["split_root"]
    lines = (run / "split.csv").read_text().splitlines()[1:]
    return [RunFolder(path=run).path.__class__(root) / row["file"] for row in csv.DictReader(lines)]


def test_the_terminal_shows_every_set_and_where_the_result_lies(run, elsewhere, capsys):
    assert main(["evaluate", str(run), "--external", str(elsewhere), *FEW]) == 0
    out = capsys.readouterr().out
    for words in (
        "train: 12 images of 6 patients",
        "seen in training",
        "val: 6 images of 3 patients",
        "test: 6 images of 3 patients (covid 2, normal 2, virus 2)",
        "clinic: 12 images of 12 patients (covid 6, normal 6)",
        "virus: recall undefined: no image of this class",
        "true, down; predicted, across",
        "evaluation.json",
    ):
        assert words in out


def test_two_runs_on_one_test_set_are_compared_and_folds_are_pooled(split_file, tmp_path, capsys):
    split = read_split(split_file)
    one = trained(split, tmp_path / "one")
    two = trained(split, tmp_path / "two", training__seed=1)
    result = result_of(capsys, one, two, "--out", tmp_path / "both.json")
    (comparison,) = result["comparisons"]
    table = comparison["mcnemar"]
    assert sum(table[n] for n in ("both_right", "only_first", "only_second", "both_wrong")) == 6
    assert json.loads((tmp_path / "both.json").read_text()) == result
    folds = []
    for number, records in enumerate(fold_records(split.manifest.records, folds=3)[:2]):
        file = split_file.with_name(f"fold-{number}.csv")
        write_split(file, records, {})
        folds.append(trained(read_split(file), tmp_path / f"folds/{number}"))
    result = result_of(capsys, *folds)
    images = sum(len(table_of(fold, "test")) for fold in folds)
    assert result["pooled"]["images"] == images
    assert main(["evaluate", *map(str, folds), *FEW]) == 0
    assert "pooled: " in capsys.readouterr().out


def test_a_run_whose_images_were_moved_is_evaluated_with_its_split(run, split_file, capsys):
    moved = split_file.parent.rename(split_file.parent.with_name("moved"))
    assert main(["evaluate", str(run), *FEW]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    assert result_of(capsys, run, "--split", moved / "split.csv")["sets"]["test"]["images"] == 6


def test_groups_are_made_of_columns_of_the_split_and_told_again_from_the_tables(run, capsys):
    kept_split = run / "split.csv"
    head, names, *rows = kept_split.read_text().splitlines()
    wards = [f"{row},{'ab'[place % 2]}" for place, row in enumerate(rows)]
    plain = result_of(capsys, run)
    kept_split.write_text("\n".join([head, f"{names},ward", *wards]) + "\n")
    printed = result_of(capsys, run, "--by", "ward", "--from-predictions")  # joined by file
    (by,) = printed["sets"]["test"]["subgroups"]
    assert by["column"] == "ward"
    assert sum(group["images"] for group in by["groups"].values()) == 6
    assert set(by["groups"]) <= {"a", "b"}
    assert "kept:ward" not in table_of(run, "test")[0]
    assert result_of(capsys, run, "--by", "ward") == printed
    assert {row["kept:ward"] for row in table_of(run, "test")} == set(by["groups"])
    kept_split.write_text("\n".join([head, names, *rows]) + "\n")
    assert result_of(capsys, run, "--by", "ward", "--from-predictions") == printed
    assert json.loads((run / "evaluation/evaluation.json").read_text()) == printed
    assert result_of(capsys, run) == plain


def test_columns_of_another_source_are_kept_once_they_were_asked_for(
    run, elsewhere, capsys, monkeypatch
):
    loaded = []
    load = module._load
    monkeypatch.setattr(module, "_load", lambda run: loaded.append(1) or load(run))
    rows = elsewhere.read_text().splitlines()
    wards = [f"{row},{'ab'[place % 2]},x" for place, row in enumerate(rows[1:])]
    elsewhere.write_text("\n".join([f"{rows[0]},ward,secret", *wards]) + "\n")
    result_of(capsys, run, "--external", elsewhere)
    assert "kept:ward" not in table_of(run, "external-clinic")[0]
    command = ["evaluate", str(run), "--by", "ward", *FEW]
    assert main([*command, "--from-predictions"]) == 2
    error = capsys.readouterr().err
    assert "`--by` must name columns of which an image of a tested set states a value" in error
    assert "got ward. There are label, source. Tables keep other columns" in error
    assert main([*command, "--external", str(elsewhere)]) == 0
    shown = capsys.readouterr()
    assert "test: no image states ward, so the set has no groups by it" in shown.err
    assert "clinic by ward" in shown.out
    assert "no gap: fewer than two groups have this value from 10 patients" in shown.out
    assert len(loaded) == 1  # the images were predicted once
    row = table_of(run, "external-clinic")[0]
    assert (row["kept:ward"], "kept:secret" in row) == ("a", False)
    assert main([*command, "--from-predictions"]) == 0


def test_runs_of_several_findings_are_evaluated_by_group(tmp_path, capsys):
    run = write_finding_run(tmp_path / "findings", externals=())
    stored = result_of(capsys, run, "--from-predictions", "--by", "source,finding:Mass")
    by = stored["sets"]["test"]["subgroups"]
    assert [one["column"] for one in by] == ["source", "finding:Mass"]
    assert by[0]["groups"]["here"]["findings"]["Mass"]["roc_auc"]["value"] > 0.5
    assert main(["evaluate", str(run), "--from-predictions", "--by", "source", *FEW]) == 0
    shown = capsys.readouterr().out
    assert "test by source, each finding over the images of known label" in shown
    assert "ROC-AUC of Mass" in shown
    assert "9 gaps; the best and the worst group are picked after the fact" in shown
    assert main(["evaluate", str(run), "--from-predictions", "--by", "sex", *FEW]) == 2
    assert "got sex. There are finding:Effusion, finding:Hernia, finding:Mass, label, source" in (
        capsys.readouterr().err
    )


def rewritten(path, change):
    read = [dict(row) for row in csv.DictReader(path.read_text().splitlines())]
    write_manifest(path, [dataclasses.replace(Record(**row), **change) for row in read])


def test_wrong_usage_exits_with_2_and_a_sentence(run, split_file, elsewhere, capsys):
    def refused(*arguments):
        assert main(["evaluate", *map(str, arguments), *FEW]) == 2
        return capsys.readouterr().err

    assert "`RUN` must be the folder of a run" in refused(split_file.parent)
    assert "got one twice" in refused(run, run)
    assert "`--out` is only allowed with several runs" in refused(run, "--out", "x.json")
    assert "sets of different names" in refused(
        run, "--external", elsewhere, "--external", elsewhere
    )
    assert "no image that the run was trained or chosen on" in refused(
        run, "--external", split_file
    )
    assert "`sensitivity` must be" in refused(run, "--sensitivity", "2")
    assert "is only allowed without --external and --split; got --external" in refused(
        run, "--from-predictions", "--external", elsewhere
    )


def test_labels_that_the_run_does_not_know_come_with_commands_that_work(run, elsewhere, capsys):
    rows = elsewhere.read_text()
    elsewhere = elsewhere.rename(elsewhere.with_name("of another clinic.csv"))
    elsewhere.write_text(rows.replace(",normal,", ",pneumonia,"))
    assert main(["evaluate", str(run), "--external", str(elsewhere), *FEW]) == 2
    result = capsys.readouterr().err
    assert "(covid,normal,virus); got pneumonia in" in result
    command = result.splitlines()[1].partition("  cxr-models ")[2]
    assert result.endswith("same command with pneumonia=LABEL added to its --labels.\n")
    for name, labels, kept in (
        ("less", [], {"covid": 6}),
        ("renamed", ["pneumonia=virus"], {"covid": 6, "virus": 6}),
    ):
        words = shlex.split(
            command.replace("NEW.csv", shlex.quote(str(run.parent / f"{name}.csv")))
        )
        words[-1] = ",".join([words[-1], *labels])
        assert main(words) == 0
        capsys.readouterr()
        result = result_of(capsys, run, "--external", run.parent / f"{name}.csv")
        assert result["sets"][name]["labels"] == kept


def test_where_no_label_is_known_only_renaming_is_told(run, elsewhere, capsys):
    rows = elsewhere.read_text().replace(",normal,", ",sound,").replace(",covid,", ",sick,")
    elsewhere.write_text(rows)
    assert main(["evaluate", str(run), "--external", str(elsewhere), *FEW]) == 2
    result = capsys.readouterr().err
    assert "Leave these labels out" not in result
    assert result.endswith("--labels sick=LABEL,sound=LABEL\n")


def test_what_is_written_is_not_written_over_unasked(run, split_file, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "other")
    for wrong, sentence in (
        ([split_file], "must not exist"),
        ([split_file, "--overwrite"], "must be new, or what cxr-models evaluate wrote"),
        ([run / "config.json", "--overwrite"], "must be new, or what cxr-models evaluate wrote"),
        ([tmp_path], "a folder"),
    ):
        assert main(["evaluate", str(run), str(other), "--out", *map(str, wrong), *FEW]) == 2
        assert sentence in capsys.readouterr().err
    assert read_split(split_file).manifest.records
    new = tmp_path / "new/both.json"
    assert "comparisons" in result_of(capsys, run, other, "--out", new)
    assert main(["evaluate", str(run), str(other), "--out", str(new), *FEW]) == 2
    assert "Replace it with --overwrite" in capsys.readouterr().err
    assert json.loads(new.read_text()) == result_of(capsys, run, other, "--out", new, "--overwrite")


def test_a_comparison_leaves_the_evaluations_of_its_runs_and_their_other_sources(
    run, elsewhere, tmp_path, capsys
):
    other = shutil.copytree(run, tmp_path / "other")
    for one in (run, other):
        result_of(capsys, one, "--external", elsewhere)
    files = [one / "evaluation/evaluation.json" for one in (run, other)]
    before = [path.read_bytes() for path in files]
    for words in ([], ["--from-predictions"], ["--seed", "1"]):
        result = result_of(capsys, run, other, *words)
        assert {comparison["set"] for comparison in result["comparisons"]} == {"test", "clinic"}
        assert [path.read_bytes() for path in files] == before
    assert result_of(capsys, run, other)["runs"]["run"] == json.loads(before[0])
    assert main(["evaluate", str(run), str(other), *FEW]) == 0
    assert "evaluation.json stays as it is" in capsys.readouterr().out


def test_a_comparison_evaluates_runs_that_were_not_and_keeps_tables_of_former_weights(
    run, tmp_path, capsys
):
    other = shutil.copytree(run, tmp_path / "other")
    result_of(capsys, run)
    kept = {path: path.read_bytes() for path in (run / "evaluation").iterdir()}
    with h5py.File(run / "best.weights.h5", "a") as file:
        file["layers/dense/vars/0"][...] = -file["layers/dense/vars/0"][...]
    assert main(["evaluate", str(run), str(other), "--json", *FEW]) == 0
    said = capsys.readouterr()
    assert "test.csv was predicted before; its weights differ; it stays" in said.err
    result = json.loads(said.out)["runs"]
    assert result["run"]["weights_sha256"] != result["other"]["weights_sha256"]
    assert {path: path.read_bytes() for path in (run / "evaluation").iterdir()} == kept
    assert json.loads((other / "evaluation/evaluation.json").read_text()) == result["other"]


def test_other_sources_stay_until_they_are_evaluated_anew(run, elsewhere, capsys):
    first = result_of(capsys, run, "--external", elsewhere)
    assert main(["evaluate", str(run), "--json", *FEW]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == first
    assert "clinic: predicted before, and evaluated with the other sets, with the " in said.err
    elsewhere.write_text("".join(elsewhere.read_text().splitlines(keepends=True)[:-1]))
    assert main(["evaluate", str(run), "--external", str(elsewhere), "--json", *FEW]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["sets"]["clinic"]["images"] == 11
    assert "external-clinic.csv was predicted before; its records and images differ" in said.err


def test_near_copies_of_seen_images_stand_in_the_evaluation_and_in_its_report(
    run, tmp_path, capsys
):
    seen = read_run(run).split.select("train")
    (tmp_path / "clinic").mkdir()
    write_image(tmp_path / "clinic/copy.png", 255 - read_image(seen.paths()[0]))
    write_image(tmp_path / "clinic/other.png", draw(901, 200))
    clinic = tmp_path / "clinic/clinic.csv"
    write_manifest(
        clinic, [Record(file=f"{name}.png", label="covid") for name in ("copy", "other")]
    )
    copied = {"file": "copy.png", "seen": seen.records[0].file, "part": "train", "kind": "inverted"}
    expected = {"near": [copied], "patients": [], "unread": 0}
    result = result_of(capsys, run, "--external", clinic)
    assert result["sets"]["clinic"]["overlap"] == expected
    assert "overlap" not in result["sets"]["test"]
    for words in ([], ["--from-predictions"]):
        assert result_of(capsys, run, *words)["sets"]["clinic"]["overlap"] == expected
    out = tmp_path / "page.md"
    assert main(["report", str(run), "--out", str(out)]) == 0
    page = out.read_text()
    sentence = "1 image of 2 is a near copy of an image that the run has seen."
    assert page.count(sentence) == 2  # in the summary, and with the set
    assert "| copy.png | inverted |" in page


def test_what_a_warm_start_has_seen_stands_in_the_evaluation_of_val_and_test(
    run, split_file, tmp_path, capsys
):
    weights = str(run / "best.weights.h5")
    warm = trained(read_split(split_file), tmp_path / "warm", model__weights=weights)
    overlaps = json.loads((warm / "run.json").read_text())["overlaps"]
    assert overlaps.keys() == {"val", "test"}
    sets = result_of(capsys, warm)["sets"]
    assert {name: sets[name]["overlap"] for name in ("val", "test")} == overlaps
    assert "overlap" not in sets["train"]
    result = json.loads((warm / "run.json").read_text())
    (warm / "run.json").write_text(json.dumps({**result, "overlaps": {"test": [1]}}))
    assert main(["evaluate", str(warm), *FEW]) == 2
    assert "`run.json` must be as cxr-models train wrote it; got" in capsys.readouterr().err


def test_a_table_that_is_not_what_its_name_says_is_refused(run, capsys):
    result_of(capsys, run)
    folder = run / "evaluation"
    shutil.copy(folder / "train.csv", folder / "test.csv")
    assert main(["evaluate", str(run), "--from-predictions", *FEW]) == 1
    assert "`test.csv` must hold the set that its name states" in capsys.readouterr().err
    assert result_of(capsys, run)["sets"]["test"]["images"] == 6


def test_tables_of_other_settings_are_not_judged_together(run, elsewhere, capsys):
    result_of(capsys, run, "--external", elsewhere)
    config = json.loads((run / "config.json").read_text())
    config["training"]["patience"] += 1
    (run / "config.json").write_text(json.dumps(config))
    assert main(["evaluate", str(run), "--json", *FEW]) == 0
    said = capsys.readouterr()  # without the other source, whose table stays as it was
    assert list(json.loads(said.out)["sets"]) == ["train", "val", "test"]
    assert "external-clinic.csv is left out" in said.err
    assert main(["evaluate", str(run), "--from-predictions", *FEW]) == 1
    error = capsys.readouterr().err
    assert "external-clinic.csv', whose settings have changed since" in error
    assert "or delete that file" in error


@pytest.mark.parametrize("name", ["evaluation", "evaluation/test.csv", "split.csv"])
def test_a_run_that_links_out_of_its_folder_is_neither_read_nor_written_to(run, name, capsys):
    result_of(capsys, run)
    moved = run.parent / "moved"
    shutil.move(run / name, moved)
    (run / name).symlink_to(moved)
    for words in ([], ["--from-predictions"]):
        assert main(["evaluate", str(run), *words, *FEW]) in (1, 2)
        assert f"whose {name} is a link to elsewhere" in capsys.readouterr().err


def test_failed_work_exits_with_1_and_a_sentence(run, elsewhere, capsys):
    def failed(*arguments):
        assert main(["evaluate", *map(str, arguments), *FEW]) == 1
        return capsys.readouterr().err

    assert "holds none. Make them" in failed(run, "--from-predictions")
    broken = elsewhere.parent / "covid/covid-p0-0.png"
    broken.write_bytes(b"no image")
    error = failed(run, "--external", elsewhere)
    assert "covid-p0-0.png" in error
    assert "Traceback" not in error
    broken.unlink()
    assert "covid-p0-0.png: No such file" in failed(run, "--external", elsewhere)
    table = run / "evaluation/test.csv"
    table.write_text(table.read_text().replace("PA", "AP").replace("0.", "1.", 3))
    assert "which was changed since" in failed(run)
    table.unlink()
    with h5py.File(run / "best.weights.h5", "a") as file:
        file["layers/dense/vars/0"][...] = np.nan
    assert "`RUN` must give finite logits" in failed(run)
    (run / "best.weights.h5").write_bytes(b"no weights")
    assert "`weights` must be those of a run with these settings" in failed(run)


def test_logits_end_where_the_probabilities_begin(run):
    finished = read_run(run)
    model = load_classifier(finished)
    images = ImageLoader(finished.config.data)(finished.split.select("test").paths())
    logits = logits_model(model).predict(images, verbose=0)
    weights, bias = model.get_layer("probabilities").get_weights()
    import keras

    pooled = keras.Model(model.input, model.get_layer("features").output)
    expected = pooled.predict(images, verbose=0) @ weights + bias
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_an_audit_with_a_run_blanks_what_the_run_sees(run, split_file, capsys):
    assert main(["audit", str(split_file), "--run", str(run), "--json", *FEW]) == 0
    result = json.loads(capsys.readouterr().out)
    evaluated = result_of(capsys, run)["sets"]["test"]["overall"]["accuracy"]["value"]
    assert result["run"]["accuracy"] == evaluated
    assert {"centre_blanked", "border_blanked", "verdict"} <= result.keys()
    assert result["classes"] == ["covid", "normal", "virus"]
    assert json.loads((run / "evaluation/audit.json").read_text()) == result
    other = split_file.with_name("other.csv")
    write_split(other, read_split(split_file).manifest.records[:-1], {})
    assert main(["audit", str(other), "--run", str(run), *FEW]) == 2
    assert "must be the one that the run was trained on" in capsys.readouterr().err
