from array import array
from pathlib import Path

import numpy as np
import pytest

from cxr_models.evaluation.foreign_sources import source_of


def cells_of(columns):
    return list(source_of(columns, "mine").cells)


def test_columns_become_a_header_and_rows_of_text():
    columns = {
        "file": [Path("a/1.png"), "b.png"],
        "age": np.array([41, 7]),
        "finding:Mass": [True, np.bool_(False)],
        "prob:Mass": (0.25, np.float32(0.5)),
    }
    assert cells_of(columns) == [
        ["file", "age", "finding:Mass", "prob:Mass"],
        ["a/1.png", "41", "1", "0.25"],
        ["b.png", "7", "0", "0.5"],
    ]


def test_numbers_are_kept_to_the_last_digit(rng):
    for dtype in (np.float64, np.float32, np.float16):
        shares = rng.random(50).astype(dtype)
        _, *rows = cells_of({"prob:a": shares, "prob:b": array("d", shares.tolist())})
        read = np.array(rows, object).astype(np.float64)
        np.testing.assert_array_equal(read, np.stack([shares, shares], axis=1).astype(np.float64))


def test_none_and_nan_are_empty_cells():
    assert cells_of({"a": [None, float("nan"), ""], "b": np.array([np.nan, 1, 2])})[1:] == [
        ["", ""],
        ["", "1.0"],
        ["", "2.0"],
    ]


def test_a_data_frame_is_its_columns():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(
        {
            "file": ["a", "b"],
            "label": pandas.Categorical(["x", "y"]),
            "finding:Mass": pandas.array([1, None], "Int64"),
            "prob:x": [0.1, 0.3],
        },
        index=[7, 9],
    )
    columns = {name: frame[name].tolist() for name in frame}
    assert cells_of(frame)[1:] == [["a", "x", "1", "0.1"], ["b", "y", "", "0.3"]]
    assert source_of(frame, "mine").sha256 == source_of(columns, "mine").sha256


def test_tensors_of_pytorch_are_columns():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    probabilities = torch.tensor([[0.25, 0.75], [0.5, 0.5]], requires_grad=True)
    columns = {"prob:a": probabilities[:, 0], "prob:b": list(probabilities[:, 1])}
    assert cells_of(columns)[1:] == [["0.25", "0.75"], ["0.5", "0.5"]]


def test_equal_tables_have_equal_hashes_and_others_do_not():
    one, same, other = {"a": [1, 2]}, {"a": np.array([1, 2])}, {"a": [1, 3]}
    hashes = [source_of(columns, "mine").sha256 for columns in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("columns", "error", "sentence"),
    [
        ({"a": [1], "b": [1, 2]}, ValueError, "equal lengths; got 1 in a, 2 in b."),
        ({3: [1]}, TypeError, "`mine` must name its columns by text; got 3."),
        ({"a": "text"}, TypeError, "`a` must be a list, an array or a series; got str."),
        ({"a": {1, 2}}, TypeError, "got set. Dates must be text"),
        ({"a": np.zeros((2, 2))}, TypeError, "`a` must hold text or numbers, one an image; got"),
        ({"a": [b"x"]}, TypeError, "got bytes. An empty cell is None, NaN or ''."),
        ({"a": np.array(["2020-01-31"], "M8[ns]")}, TypeError, r"got ndarray of datetime64\[ns\]"),
        ({"a": [np.datetime64("2020-01-31", "ns")]}, TypeError, "one an image; got datetime64"),
    ],
)
def test_other_things_are_refused(columns, error, sentence):
    with pytest.raises(error, match=sentence):
        source_of(columns, "mine")
