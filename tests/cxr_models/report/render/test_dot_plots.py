import pytest

from cxr_models.report.blocks import Dot, DotPlot
from cxr_models.report.render.dot_plots import drawn_dots


def plot_of(rows, series=("",), marks=(None,), x_range=(0.5, 1.0)):
    return DotPlot(
        title="t", description="d", x_label="x", x_range=x_range, series=series,
        rows=tuple(rows), marks=marks,
    )  # fmt: skip


def test_dots_and_intervals_lie_on_the_axis():
    dot = Dot(value=0.75, interval=(0.5, 1.0))
    drawn = drawn_dots(plot_of([("a", (dot,)), ("b", (dot,))], marks=(1.0,)))
    left, right = drawn["left"], drawn["right"]
    for row in drawn["rows"]:
        (placed,) = row["dots"]
        assert placed["x"] == pytest.approx((left + right) / 2)
        assert placed["interval"] == f"{left:g},{placed['y']:g} {right:g},{placed['y']:g}"
        assert placed["mark"].startswith(f"{right:g},")
        assert row["name_y"] < placed["y"] < row["end"] <= drawn["bottom"] < drawn["height"]
    first, second = drawn["rows"]
    assert first["end"] < second["name_y"]
    assert [text for _, text in drawn["x_ticks"]] == ["0.5", "0.6", "0.7", "0.8", "0.9", "1"]


def test_what_lies_outside_the_axis_ends_at_it():
    drawn = drawn_dots(plot_of([("a", (Dot(value=0.1, interval=(0.0, 0.9)),))]))
    (placed,) = drawn["rows"][0]["dots"]
    assert placed["x"] == drawn["left"]


def test_a_missing_value_is_a_text_and_has_no_mark():
    dots = (Dot(value=None, interval=None, text="x" * 90), Dot(value=1.0, interval=None))
    drawn = drawn_dots(plot_of([("n" * 90, dots)], series=("one", "two"), marks=(0.9, 0.9)))
    row = drawn["rows"][0]
    missing, there = row["dots"]
    assert (missing["x"], missing["mark"], len(missing["text"])) == (None, "", 52)
    assert (there["interval"], len(row["name"])) == ("", 52)
    assert [line["name"] for line in drawn["legend"]] == ["one", "two"]
    assert [line["dashed"] for line in drawn["legend"]] == [False, True]


def test_a_row_needs_a_dot_of_each_series():
    with pytest.raises(ValueError, match="must have 2 dots each, in 't'"):
        plot_of([("a", (Dot(value=1.0, interval=None),))], series=("a", "b"), marks=(None, None))
