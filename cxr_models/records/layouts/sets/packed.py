"""Sets without image files: JSRT with raw pixels, MedMNIST with NumPy arrays."""

from __future__ import annotations

import functools
import re
import zipfile
from typing import TYPE_CHECKING

import numpy as np

import cxr_enhance
from cxr_models.records.layouts.facts import ImageRow, KnownSet
from cxr_models.records.layouts.values import FindingsOf, age_of, sex_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

    import numpy.typing as npt

    from cxr_models.records.layouts.facts import ReadOptions
    from cxr_models.records.layouts.tree import Tree

_JSRT_IMAGE = re.compile(r"(?:^|/)(?i:(JPC(?:LN|NN)\d{3})\.(?:IMG|png))$")
_JSRT_MASKS = r"(^|/)(scratch|masks)/"
_JSRT_RECORD = re.compile(r"(?=JPC(?:LN|NN)\d{3}\.IMG)", re.IGNORECASE)
_MEDMNIST = r"(chest|pneumonia)mnist(_(64|128|224))?\.npz"
_CHEST = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia",
    "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening",
    "Hernia", "No Finding",
)  # fmt: skip


def _jsrt_records(tree: Tree, name: str) -> Iterator[list[str]]:
    """Yield the fields of each record.

    Lines of the table end with CR, and some records follow each other without a line end.
    """
    for table in tree.tables(name):
        text = (tree.root / table).read_bytes().decode("utf-8", "replace")
        for record in _JSRT_RECORD.split(text.replace("\r", "\n"))[1:]:
            line = record.strip().split("\n", 1)[0]
            yield [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]


def _read_jsrt(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(("Nodule", "Malignant"))
    raw = {name.rsplit("/", 1)[-1].upper(): name for name in tree.tables(r"JPC(LN|NN)\d{3}\.IMG")}
    records = [*_jsrt_records(tree, r"CLNDAT_EN\.txt"), *_jsrt_records(tree, r"CNNDAT_EN\.txt")]
    described = {fields[0].upper() for fields in records}
    records += [[name] for name in _jsrt_names(tree, raw) if name not in described]
    for fields in records:
        name = fields[0].upper()
        stem, nodule = name.removesuffix(".IMG"), name.startswith("JPCLN")
        # Fields with a nodule: name, subtlety, size, age, sex, x, y, malignant or benign.
        # Fields without a nodule: name, age, sex.
        place = 3 if nodule else 1
        kind = fields[7].lower() if nodule and len(fields) > 7 else ""
        age, sex = [*fields, "", "", "", "", ""][place : place + 2]
        if not nodule and sex_of(age):
            age, sex = sex, age
        yield ImageRow(
            file=tree.by_stem(stem) or _unpacked(tree, raw.get(name, ""), stem, options),
            label="nodule" if nodule else "normal",
            patient=stem,
            source="jsrt",
            view="PA",
            sex=sex_of(sex),
            age=age_of(age),
            findings=findings(
                ("1" if nodule else "0", "1" if kind == "malignant" else "" if not kind else "0")
                if nodule
                else ("0", "0")
            ),
        )


def _jsrt_names(tree: Tree, raw: Iterable[str]) -> list[str]:
    """Return the names of all images in the folder, in the form of the tables."""
    images = (file for file in tree.listing.images if not re.search(_JSRT_MASKS, file))
    matches = (_JSRT_IMAGE.search(file) for file in images)
    return sorted({*raw, *(f"{match[1].upper()}.IMG" for match in matches if match)})


def _unpacked(tree: Tree, raw: str, stem: str, options: ReadOptions) -> str:
    if not raw:
        return ""
    return options.unpack.file(
        f"{stem}.png", lambda: cxr_enhance.read_image(tree.root / raw, raw="jsrt")
    )


def _read_medmnist(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    names = tree.tables(_MEDMNIST)
    if len(names) > 1:
        raise ValueError(
            f"`SOURCE` must hold one file of MedMNIST; got {', '.join(names)}. Index a folder of "
            "its own for each."
        )
    stem = names[0].rsplit("/", 1)[-1].lower().removesuffix(".npz")
    chest = stem.startswith("chest")
    findings = FindingsOf(_CHEST if chest else ("Pneumonia",))
    with zipfile.ZipFile(tree.root / names[0]) as arrays:
        for part in ("train", "val", "test"):
            labels = _array(arrays, f"{part}_labels.npy")
            for number, pixels in enumerate(_images(arrays, f"{part}_images.npy")):
                cells = [str(int(value)) for value in np.atleast_1d(labels[number])]
                if chest:
                    cells.append("0" if "1" in cells else "1")
                yield ImageRow(
                    file=options.unpack.file(
                        f"{part}/{stem}-{part}-{number:06d}.png",
                        functools.partial(np.asarray, pixels),
                    ),
                    label="" if chest else ("normal", "pneumonia")[int(cells[0])],
                    source=stem.split("_", 1)[0],
                    split=part,
                    findings=findings(tuple(cells)),
                )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read(file)
    if fortran or dtype.hasobject:
        raise ValueError("an array of MedMNIST must be plain and in C order.")
    return shape, dtype


def _array(arrays: zipfile.ZipFile, name: str) -> npt.NDArray[np.generic]:
    with arrays.open(name) as file:
        shape, dtype = _header(file)
        return np.frombuffer(file.read(), dtype).reshape(shape)


def _images(arrays: zipfile.ZipFile, name: str) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield one image at a time: all images of 224 x 224 pixels need 5 GB of memory."""
    with arrays.open(name) as file:
        shape, dtype = _header(file)
        if dtype != np.uint8 or len(shape) not in (3, 4):
            raise ValueError(f"`{name}` must hold images of uint8; got {dtype} of shape {shape}.")
        for _ in range(shape[0]):
            data = file.read(int(np.prod(shape[1:])))
            yield np.frombuffer(data, np.uint8).reshape(shape[1:])


JSRT = KnownSet(
    name="jsrt",
    title="JSRT",
    images=247,
    licence="terms of the Japanese Society of Radiological Technology",
    citation="Shiraishi et al., Am. J. Roentgenol. 174, 2000",
    marks=(_JSRT_IMAGE.pattern,),
    read=_read_jsrt,
    non_radiographs=_JSRT_MASKS,
)
MEDMNIST = KnownSet(
    name="medmnist",
    title="MedMNIST's chest X-rays",
    images=0,
    licence="CC BY 4.0",
    citation="Yang et al.: MedMNIST v2, Scientific Data 10:41, 2023",
    marks=(r"(^|/)(chest|pneumonia)mnist(_(64|128|224))?\.npz$",),
    read=_read_medmnist,
)
