"""Drawn radiographs and tables in the forms that sets ship them in."""

import gzip
import warnings
import zipfile
from xml.sax.saxutils import escape

import numpy as np

from cxr_enhance import write_image
from tests.helpers.radiographs import draw


def image(path, seed, *, opacity=0.0):
    """Write a drawn radiograph; seeds differ from image to image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, draw(seed, 64, opacity))


def dicom(path, seed, **elements):
    """Write a drawn radiograph as DICOM; keywords are elements of its header."""
    from tests.helpers.dicom_files import data_set, saved

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(action="ignore"):  # some sets have ages such as "51"
        path.write_bytes(saved(data_set(draw(seed, 64), **elements)))


def text(path, *lines, end="\n", encoding="utf-8"):
    """Write lines, packed where the name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}{end}" for line in lines).encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def replace(path, old, new):
    """Replace the only place of a text in a file."""
    data = path.read_text()
    assert data.count(old) == 1, (old, data)
    path.write_text(data.replace(old, new))


def xlsx(path, *rows):
    """Write a workbook with one sheet, words in the table of shared strings as Excel does."""
    words = sorted({cell for row in rows for cell in row})
    cells = [
        f'<row r="{number}">'
        + "".join(
            f'<c r="{chr(65 + place)}{number}" t="s"><v>{words.index(cell)}</v></c>'
            for place, cell in enumerate(row)
            if cell
        )
        + "</row>"
        for number, row in enumerate(rows, start=1)
    ]
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "xl/sharedStrings.xml",
            f"<sst {space}>"
            + "".join(f"<si><t>{escape(word)}</t></si>" for word in words)
            + "</sst>",
        )
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {space}><sheetData>{''.join(cells)}</sheetData></worksheet>",
        )


def raw(path, seed):
    """Write a drawn radiograph as JSRT's raw files: 2048 x 2048, big endian, 12 bits, inverted."""
    small = draw(seed, 64)[:64, :64].astype(np.uint16)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((4095 - np.kron(small, np.ones((32, 32), np.uint16)) * 16).astype(">u2"))
