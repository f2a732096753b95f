import dataclasses
import shutil

import numpy as np
import pytest

from cxr_enhance import read_image, write_image
from cxr_models.config import RunConfig
from cxr_models.evaluation.externals import read_externals
from cxr_models.records.fingerprints import with_fingerprints
from cxr_models.records.manifest import Record, read_manifest, write_manifest
from cxr_models.records.overlap import Shared
from cxr_models.runs.finished import read_run
from tests.helpers.radiographs import draw


@pytest.fixture
def run(finished):
    return read_run(finished)


@pytest.fixture
def clinic(tmp_path):
    """Give a set of two radiographs of another source, and its manifest."""
    (tmp_path / "clinic").mkdir()
    for name, seed in (("a.png", 501), ("b.png", 502)):
        write_image(tmp_path / "clinic" / name, draw(seed, 200, 0.9))
    manifest = tmp_path / "clinic/clinic.csv"
    write_manifest(manifest, [Record(file=name, label="covid") for name in ("a.png", "b.png")])
    return manifest


def added(clinic, image, **told):
    write_image(clinic.parent / "c.png", image)
    files = [Record(file=name, label="covid") for name in ("a.png", "b.png")]
    write_manifest(clinic, [*files, Record(file="c.png", label="covid", **told)])


def test_a_set_of_other_images_is_taken(run, clinic):
    said = []
    assert list(read_externals(run, [clinic], say=said.append)) == ["clinic"]
    assert not [line for line in said if "WARNING" in line]


@pytest.mark.parametrize("part", ["train", "val"])
def test_equal_pixels_are_refused_under_any_path_and_format(run, clinic, part):
    seen = run.split.select(part)
    added(clinic, read_image(seen.paths()[0]))
    with pytest.raises(ValueError, match=r"got 1 of equal pixels in '.*clinic\.csv'") as caught:
        read_externals(run, [clinic])
    assert f"  c.png: equal, {seen.records[0].file} in {part}" in str(caught.value)


def test_names_of_sets_differ_without_regard_to_case(run, clinic, tmp_path):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other/Clinic.csv"
    write_image(tmp_path / "other/d.png", draw(503, 200, 0.9))
    write_manifest(other, [Record(file="d.png", label="covid")])
    with pytest.raises(ValueError, match=r"regard to case; got Clinic for .* beside clinic. Renam"):
        read_externals(run, [clinic, other])
    with pytest.raises(ValueError, match=r"without regard to case; got TEST for .* beside test"):
        read_externals(run, [shutil.copy(other, tmp_path / "other/TEST.csv")])
    run.folder.evaluation_folder.mkdir()
    run.folder.predictions_file("clinic", external=True).touch()
    assert list(read_externals(run, [clinic])) == ["clinic"]
    with pytest.raises(ValueError, match=r"regard to case; got Clinic for .* beside clinic. Renam"):
        read_externals(run, [other])


def test_images_of_test_may_be_in_a_set_of_another_source(run, clinic):
    image = read_image(run.split.select("test").paths()[0])
    added(clinic, image)
    assert list(read_externals(run, [clinic])) == ["clinic"]


def test_near_copies_and_patients_are_listed_and_taken(run, clinic):
    seen = run.split.select("train")
    mirrored = np.ascontiguousarray(255 - read_image(seen.paths()[0]))
    added(clinic, mirrored, patient=seen.records[0].patient)
    said = []
    externals = read_externals(run, [clinic], say=said.append)
    manifest, overlap = externals["clinic"]
    assert [record.file for record in manifest.records] == ["a.png", "b.png", "c.png"]
    assert overlap.near == (Shared("c.png", seen.records[0].file, "train", "inverted"),)
    assert [one.file for one in overlap.patients] == ["c.png"]
    assert any(line.startswith("  c.png: ") and "inverted" in line for line in said)
    assert any("image of clinic is of a patient" in line for line in said)


def test_what_the_start_of_a_run_has_seen_counts_too(finished, clinic, tmp_path):
    start = shutil.copytree(finished, tmp_path / "start")
    added(clinic, draw(777, 200))
    records = [Record(file="c.png", label="covid", split="train")]
    write_manifest(start / "split.csv", records)
    facts = (start / "run.json").read_text()
    root = str(read_run(finished).split.manifest.root)
    (start / "run.json").write_text(facts.replace(root, str(clinic.parent)))
    config = RunConfig().with_setting("model.weights", str(start / "best.weights.h5"))
    (finished / "config.json").write_text(config.to_json())
    with pytest.raises(ValueError, match="1 of equal pixels") as caught:
        read_externals(read_run(finished), [clinic])
    assert f"c.png in train of {start.resolve()}" in str(caught.value)


def test_digests_of_manifests_are_believed_so_that_images_need_not_be_there(run, clinic):
    told = with_fingerprints(read_manifest(clinic))
    write_manifest(clinic, told.records)
    split = with_fingerprints(run.split.manifest)
    run = dataclasses.replace(run, split=dataclasses.replace(run.split, manifest=split))
    for path in (*told.paths(), *split.paths()):
        (clinic.parent / path).unlink()
    said = []
    assert list(read_externals(run, [clinic], say=said.append)) == ["clinic"]
    assert said == []


def test_a_set_inside_the_one_that_the_run_was_trained_on_is_warned_of(run, clinic):
    seen = run.split.manifest
    records = tuple(dataclasses.replace(record, source="nih") for record in seen.records)
    trained = dataclasses.replace(seen, records=records)
    run = dataclasses.replace(run, split=dataclasses.replace(run.split, manifest=trained))
    records = [dataclasses.replace(one, source="rsna") for one in read_manifest(clinic).records]
    write_manifest(clinic, records)
    said = []
    read_externals(run, [clinic], say=said.append)
    assert [line for line in said if "WARNING" in line] == [
        "WARNING: rsna of clinic and nih, which the model has seen, both hold images of nih: "
        "clinic is no other source"
    ]


def test_a_run_of_findings_takes_any_label_and_needs_one_known_finding(run, clinic):
    model = dataclasses.replace(run.config.model, task="multilabel", findings=("Edema", "Mass"))
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, model=model))
    names = ("a.png", "b.png")

    def read(**findings):
        pairs = tuple(findings.items())
        write_manifest(clinic, [Record(file=name, label="other", findings=pairs) for name in names])
        return list(read_externals(run, [clinic]))

    assert read(Mass="0", Hernia="1") == ["clinic"]
    with pytest.raises(
        ValueError,
        match=r"known for an image \(Edema, Mass\); got none in .* findings Mass, Hernia\. Give",
    ):
        read(Mass="u", Hernia="1")
