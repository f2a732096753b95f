"""Records become JSON objects and come back equal; what does not follow its type is named."""

import re
import reprlib
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest

from cxr_models._typed_json import (
    WRITTEN,
    Integer,
    converted,
    from_json,
    read_object,
    to_json,
    write_record,
)


@dataclass(frozen=True, kw_only=True)
class Point:
    x: float
    y: float | None
    note: str = ""

    def __post_init__(self):
        if self.y is None and not self.note:
            raise ValueError("`note` is missing where there is no y")


@dataclass(frozen=True, kw_only=True)
class Shape:
    points: tuple[Point, ...]
    ends: tuple[float, float] | None
    names: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Drawing(Shape):
    FIRST: ClassVar[tuple[str, ...]] = ("kind",)

    kind: Literal["line", "area"]
    seed: Integer | None = field(default=None, metadata=WRITTEN)
    anything: object = None


JSON = {
    "kind": "line",
    "points": [{"x": 1, "y": 0.5}, {"x": 2.0, "y": None, "note": "hidden"}],
    "ends": [0.0, 1.0],
    "names": {"a": 3},
    "seed": None,
}
DRAWING = Drawing(
    points=(Point(x=1, y=0.5), Point(x=2.0, y=None, note="hidden")),
    ends=(0.0, 1.0),
    names={"a": 3},
    kind="line",
)


def test_a_record_is_an_object_with_its_fields_in_order_and_without_defaults():
    assert to_json(DRAWING) == JSON
    assert list(to_json(DRAWING)) == list(JSON)
    assert from_json(Drawing, JSON) == DRAWING


def test_a_missing_key_with_a_default_and_keys_of_later_versions_are_no_fault():
    later = {name: value for name, value in JSON.items() if name != "seed"} | {"colour": "red"}
    assert from_json(Drawing, later) == DRAWING


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "dot"}, "kind is 'dot', not one of line, area"),
        ({"kind": None}, "kind is None, not one of line, area"),
        ({"points": {}}, "points is {}, not a list"),
        ({"points": [3]}, "points.0 is 3, not an object"),
        ({"points": [{"x": 1}]}, "points.0.y is missing"),
        ({"points": [{"x": "1", "y": 1}]}, "points.0.x is '1', not a finite number"),
        ({"points": [{"x": True, "y": 1}]}, "points.0.x is True, not a finite number"),
        ({"points": [{"x": float("nan"), "y": 1}]}, "points.0.x is nan, not a finite number"),
        ({"points": [{"x": 1, "y": 1, "note": 2}]}, "points.0.note is 2, not text"),
        ({"points": [{"x": 1, "y": None}]}, "points.0: `note` is missing where there is no y"),
        ({"ends": [1.0]}, "ends is [1.0], not a list of 2"),
        ({"ends": [0, 10**400]}, f"ends.1 is {reprlib.repr(10**400)}, not a finite number"),
        ({"seed": 1.5}, "seed is 1.5, not an integer"),
        ({"names": []}, "names is [], not an object"),
        ({"names": {"a": 1.0}}, "names.a is 1.0, not a count"),
        ({"names": {"a": -1}}, "names.a is -1, not a count"),
        ({"names": {"a": True}}, "names.a is True, not a count"),
    ],
)
def test_what_does_not_follow_its_type_is_named_with_its_rule(change, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        from_json(Drawing, JSON | change)


def test_an_integer_may_be_negative_where_a_count_may_not():
    assert from_json(Drawing, JSON | {"seed": -1}).seed == -1


def test_what_is_no_object_at_all_is_named():
    with pytest.raises(ValueError, match="the JSON value is 3, not an object"):
        from_json(Drawing, 3)


def test_a_record_becomes_one_of_its_base_or_of_a_class_of_it():
    shape = converted(Shape, DRAWING)
    assert type(shape) is Shape
    assert converted(Drawing, shape, kind="line") == DRAWING
    assert converted(Drawing, shape, kind="area", ends=None).ends is None


def test_a_file_holds_a_record_and_no_other_json_is_taken(tmp_path):
    path = tmp_path / "drawing.json"
    write_record(path, DRAWING)
    assert from_json(Drawing, read_object(path)) == DRAWING
    for text, sentence in (
        ("[1]", r"`drawing\.json` must hold one JSON object; got"),
        ("{", r"`drawing\.json` must be JSON; got"),
        ("[" * 100_000, "it is nested too deep"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=sentence):
            read_object(path)
