"""Findings of the sets' own tables, value by value those of another project's label matrices.

torchxrayvision ships tables of six sets. No image is needed: that the files are there is pretended.
"""

import gzip
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.known_sets import index_set
from cxr_models.records.layouts.known import SETS
from cxr_models.records.layouts.tables import Table
from cxr_models.records.layouts.tree import Tree
from cxr_models.records.scan import FolderListing

xrv = pytest.importorskip("torchxrayvision", reason="torchxrayvision is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of pandas, in their code
]
DATA = Path(xrv.__file__).parent / "data"
VALUES = {"1": 1.0, "0": 0.0, "u": np.nan, "": np.nan}


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Read a table of theirs under the name that the set gives it, as if each image were there."""

    def read(name, shipped, called, column, form, **choices):
        target = tmp_path / called
        if shipped.endswith(".zip"):
            with zipfile.ZipFile(DATA / shipped) as archive:
                target.write_bytes(archive.read(archive.namelist()[0]))
        elif called.endswith(".gz"):
            shutil.copy(DATA / shipped, target)
        else:
            target.write_bytes(gzip.decompress((DATA / shipped).read_bytes()))
        named = dict.fromkeys(row[0] for row in Table(target, called).rows(column))
        found = FolderListing(
            images=tuple(form.format(image) for image in named), unentered=(), other_files=(called,)
        )
        monkeypatch.setattr("cxr_models.records.layouts.tree.find_images", lambda root: found)
        everything = frozenset(("all",))
        asked = Choices(views=everything, modalities=everything, **choices)
        index = index_set(Tree(tmp_path), SETS[name], asked)
        assert not index.skipped
        assert len(index.records) == len(named)
        return {record.file: record for record in index.records}

    return read


def ours(records, files, name):
    return np.array([VALUES[records[file].finding(name)] for file in files])


def test_nih(records):
    theirs = xrv.datasets.NIH_Dataset(imgpath=".", views="*", unique_patients=False)
    made = records(
        "nih", "Data_Entry_2017_v2020.csv.gz", "Data_Entry_2017_v2020.csv", "Image Index",
        "{}",
    )  # fmt: skip
    files = list(theirs.csv["Image Index"])
    assert len(made) == len(files) == 112_120
    for place, name in enumerate(theirs.pathologies):
        np.testing.assert_array_equal(ours(made, files, name), theirs.labels[:, place])
    for column, kept in (("Patient ID", "patient"), ("View Position", "view")):
        assert [str(cell) for cell in theirs.csv[column]] == [
            getattr(made[file], kept) for file in files
        ]
    assert [made[file].sex for file in files] == list(theirs.csv["Patient Gender"])


def test_chexpert(records):
    views = ["PA", "AP", "L", "LL", "RL"]
    theirs = xrv.datasets.CheX_Dataset(imgpath=".", views=views, unique_patients=False)
    made = records("chexpert", "chexpert_train.csv.gz", "train.csv", "Path", "{}")
    files = list(theirs.csv["Path"])
    assert len(made) == len(files) == 223_414
    healthy = ours(made, files, "No Finding") == 1
    for place, name in enumerate(theirs.pathologies):
        name = "Pleural Effusion" if name == "Effusion" else name
        expected = ours(made, files, name)
        if name != "Support Devices":
            expected[healthy] = 0  # their rule
        np.testing.assert_array_equal(expected, theirs.labels[:, place])
    assert [made[file].patient for file in files] == [
        f"patient{number}" for number in theirs.csv["patientid"]
    ]


def test_rsna(records):
    theirs = xrv.datasets.RSNA_Pneumonia_Dataset(imgpath=".", views="*")
    made = records(
        "rsna", "kaggle_stage_2_train_labels.csv.zip", "stage_2_train_labels.csv", "patientId",
        "{}.dcm",
    )  # fmt: skip
    files = [f"{image}.dcm" for image in theirs.csv["patientId"]]
    assert len(made) == len(files) == 26_684
    place = list(theirs.pathologies).index("Lung Opacity")
    np.testing.assert_array_equal(ours(made, files, "Lung Opacity"), theirs.labels[:, place])


def test_siim_acr(records):
    theirs = xrv.datasets.SIIM_Pneumothorax_Dataset(imgpath=str(DATA))
    made = records(
        "siim-acr", "siim-pneumothorax-train-rle.csv.gz", "train-rle.csv", "ImageId", "{}.dcm"
    )
    files = [f"{image}.dcm" for image in theirs.csv["ImageId"]]
    np.testing.assert_array_equal(ours(made, files, "Pneumothorax"), theirs.labels[:, 0])


def test_vindr_cxr(records):
    theirs = xrv.datasets.VinBrain_Dataset(imgpath=".")
    made = records(
        "vindr-cxr", "vinbigdata-train.csv.gz", "train.csv", "image_id", "{}.dicom", rows="any"
    )
    files = [f"{image}.dicom" for image in theirs.csv["image_id"]]
    assert len(made) == len(files) == 15_000
    names = {"Effusion": "Pleural effusion", "Pleural_Thickening": "Pleural thickening"}
    names |= {"Other Lesion": "Other lesion", "Pulmonary Fibrosis": "Pulmonary fibrosis"}
    for place, name in enumerate(theirs.pathologies):
        name = names.get(name, name)
        np.testing.assert_array_equal(ours(made, files, name), theirs.labels[:, place])


def test_padchest(records):
    theirs = xrv.datasets.PC_Dataset(imgpath=str(DATA), views="*", unique_patients=False)
    made = records(
        "padchest", "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz",
        "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", "ImageID", "{}",
    )  # fmt: skip
    assert len(made) == 160_861
    files = list(theirs.csv["ImageID"])
    for place, name in enumerate(theirs.pathologies):
        if name not in ("Pneumonia", "Cardiomegaly", "Emphysema", "Hemidiaphragm Elevation"):
            continue  # they look for parts of words, and for others that mean the same
        holding = [
            any(value == "1" and name.lower() in word for word, value in made[file].findings)
            for file in files
        ]
        np.testing.assert_array_equal(holding, theirs.labels[:, place].astype(bool))
