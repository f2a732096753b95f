"""What a page is answered, message by message; no page is needed."""

import numpy as np
import pytest

import cxr_enhance as cxe
import cxr_enhance.io
from cxr_enhance import EnhanceParams
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_enhance.tuner.choice import Choice
from cxr_enhance.tuner.session import Session
from cxr_enhance.tuner.source import Files, source_of_array
from cxr_enhance.tuner.tiles import clipped_shares
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

from tests.helpers.dicom_files import data_set, saved  # noqa: E402

GRAY = synthetic_radiograph(90, 70)


def image_of(answer):
    """Give the image that a part of an answer describes."""
    shape = (answer["height"], answer["width"], answer["channels"])
    image = np.frombuffer(answer["pixels"], np.uint8).reshape(shape)
    return image[..., 0] if answer["channels"] == 1 else image


def choice_of(voi="auto", preset=None, window=None, **options):
    params = EnhanceParams(**options)
    return Choice(params=params, voi=voi, preset=preset, window=window).to_dict()


@pytest.fixture
def folder(tmp_path):
    cxe.write_image(tmp_path / "a.png", GRAY)
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    cxe.write_image(tmp_path / "c.png", synthetic_radiograph(50, 60, bits=16))
    return tmp_path


@pytest.fixture
def session(folder):
    return Session(Files([str(folder)]), Choice(params=EnhanceParams()))


def test_the_page_begins_with_the_first_file_before_and_after(session, folder):
    answer = session.answer({"ask": "start", "id": 7})
    assert (answer["id"], answer["name"], answer["index"], answer["count"]) == (7, "a.png", 0, 3)
    assert answer["description"] == "70 x 90, uint8"
    assert answer["defaults"] == EnhanceParams().to_dict()
    assert_same_image(image_of(answer["before"]), GRAY)
    assert_same_image(image_of(answer["after"]), cxe.enhance(GRAY))
    assert (
        answer["after"]["levels"] == np.bincount(cxe.enhance(GRAY).ravel(), minlength=256).tolist()
    )
    assert f"cxr-enhance run {folder / 'a.png'}" in answer["texts"]["command"]


def test_a_slider_is_answered_with_the_librarys_bytes_and_becomes_the_choice(session):
    session.answer({"ask": "start"})
    choice = choice_of(clip_limit=4.0, tile_grid_size=(5, 3))
    answer = session.answer({"ask": "render", "choice": choice})
    params = EnhanceParams(clip_limit=4.0, tile_grid_size=(5, 3))
    assert_same_image(image_of(answer["after"]), cxe.enhance(GRAY, params))
    assert "before" not in answer
    assert session.choice.params == params


def test_sixteen_bits_are_shown_as_eight_of_what_the_image_fills(folder):
    session = Session(Files([str(folder / "c.png")]), Choice(params=EnhanceParams()))
    answer = session.answer({"ask": "start"})
    for name, image in (
        ("before", cxe.read_image(folder / "c.png")),
        ("after", cxe.enhance(cxe.read_image(folder / "c.png"))),
    ):
        full = 2 ** int(image.max()).bit_length() - 1
        expected = (image.astype(np.int64) * 255 // full).astype(np.uint8)
        assert_same_image(image_of(answer[name]), expected)


def test_a_broken_file_says_so_and_the_last_one_stays(session):
    session.answer({"ask": "start"})
    broken = session.answer({"ask": "step", "by": 1})
    assert broken["error"].endswith("File: 'b.png'.")
    assert broken["index"] == 1
    assert "before" not in broken
    kept = session.answer({"ask": "render", "choice": choice_of(clip_limit=1.0)})
    assert_same_image(image_of(kept["after"]), cxe.enhance(GRAY, EnhanceParams(clip_limit=1.0)))
    assert session.answer({"ask": "step", "by": 1})["name"] == "c.png"
    assert session.answer({"ask": "step", "by": 1})["note"] == "There is no further image."


def test_a_choice_stays_from_file_to_file(session):
    session.answer({"ask": "start"})
    session.answer({"ask": "render", "choice": choice_of(clip_limit=6.0)})
    session.answer({"ask": "step", "by": 1})
    answer = session.answer({"ask": "step", "by": 1})
    assert "--clip-limit 6.0" in answer["texts"]["command"]


def test_a_choice_that_cannot_be_is_a_sentence_and_changes_nothing(session):
    session.answer({"ask": "start"})
    before = session.choice
    for choice, sentence in [
        (choice_of() | {"params": {"clip_limit": -1}}, "`clip_limit` must be finite"),
        (choice_of(bits=3), "`image` must hold values"),
        ({}, "`choice` must have the names"),
    ]:
        assert sentence in session.answer({"ask": "render", "choice": choice})["error"]
    assert session.choice == before


def test_a_dropped_file_comes_in_parts_and_a_broken_one_loses_nothing(session):
    ds = data_set(synthetic_radiograph(60, 50, bits=12), bits=12, WindowCenter=900, WindowWidth=800)
    content = saved(ds)
    session.answer({"ask": "start"})
    parts = [content[:1000], content[1000:2000], content[2000:]]
    for place, part in enumerate(parts):
        answer = session.answer({
            "ask": "upload", "name": "scan.dcm", "data": part, "first": place == 0,
            "last": place == 2,
        })  # fmt: skip
        assert answer.get("more", False) == (place < 2)
    assert (answer["name"], answer["is_dicom"]) == ("scan.dcm", True)
    assert answer["description"] == "50 x 60, uint16, window 900 / 800"
    expected = cxe.enhance(cxe.read_image(content))
    assert_same_image(image_of(answer["after"]), (expected.astype(int) * 255 // 65535).astype("u1"))
    broken = session.answer({
        "ask": "upload", "name": "bad.dcm", "data": content[:700], "first": True, "last": True,
    })  # fmt: skip
    assert broken["error"].endswith("File: 'bad.dcm'.")
    kept = session.answer({"ask": "render", "choice": choice_of(voi="none")})
    none = cxe.read_image(content, voi="none")
    full = 2 ** int(none.max()).bit_length() - 1
    assert_same_image(image_of(kept["before"]), (none.astype(int) * 255 // full).astype("u1"))
    assert "cxe.read_image('scan.dcm', voi='none')" in kept["texts"]["python"]


def opened(session, **elements):
    """Drop a DICOM file of 12 bits on the page; give its content and the answer."""
    pixels = synthetic_radiograph(60, 50, bits=12)
    content = saved(data_set(pixels, bits=12, **elements))
    message = {"ask": "upload", "name": "a.dcm", "data": content, "first": True, "last": True}
    return content, pixels, session.answer(message)


def test_a_window_is_chosen_before_and_after(session):
    content, _, answer = opened(session, WindowCenter=900, WindowWidth=800)
    answer = session.answer({"ask": "render", "choice": choice_of(window=[1500, 600])})
    image = cxe.read_image(content, window=(1500, 600))
    assert_same_image(image_of(answer["before"]), (image.astype(int) * 255 // 4095).astype("u1"))
    expected = cxe.enhance(image)
    full = 2 ** int(expected.max()).bit_length() - 1
    assert_same_image(image_of(answer["after"]), (expected.astype(int) * 255 // full).astype("u1"))
    sheet = session.answer(
        {
            "ask": "sheet",
            "choice": choice_of(window=[1500, 600]),
            "limits": [2],
            "grids": [[16, 16]],
        }
    )
    assert_same_image(image_of(sheet["panels"][0]), image_of(answer["after"]))
    params = session.answer({"ask": "params", "name": "a.json", "text": EnhanceParams().to_json()})
    assert params["choice"]["window"] == [1500.0, 600.0]


def test_a_window_that_cannot_be_is_a_sentence_and_changes_nothing(session):
    opened(session, WindowCenter=900, WindowWidth=800)
    answer = session.answer({"ask": "render", "choice": choice_of(window=[900, 0.5])})
    assert answer["error"].startswith("`window` must have a width of at least 1")
    assert answer["error"].endswith("File: 'a.dcm'.")
    assert session.choice.window is None


@pytest.mark.parametrize(
    ("elements", "slope", "intercept"),
    [
        ({}, 1, 0),
        ({"RescaleSlope": 2, "RescaleIntercept": -1024}, 2, -1024),
        ({"RescaleSlope": -1, "RescaleIntercept": 4095}, -1, 4095),
        ({"photometric": "MONOCHROME1"}, 1, 0),
    ],
)
def test_sliders_of_the_window_reach_over_the_values_of_the_file(
    session, elements, slope, intercept
):
    _, pixels, answer = opened(session, **elements)
    values = pixels.astype(float) * slope + intercept
    low, high = values.min(), values.max()
    assert answer["windows"] == {
        "own": pytest.approx([(low + high) / 2, high - low]),
        "low": pytest.approx(low),
        "high": pytest.approx(high),
    }
    _, _, answer = opened(session, WindowCenter=900, WindowWidth=800)
    assert answer["windows"]["own"] == [900.0, 800.0]


def test_padding_and_colour_have_no_part_in_the_sliders_of_the_window(session):
    pixels = synthetic_radiograph(60, 50, bits=12)
    pixels = np.maximum(pixels, 300)
    pixels[:, :9] = 0
    content = saved(data_set(pixels, bits=12, PixelPaddingValue=0))
    message = {"ask": "upload", "name": "a.dcm", "first": True, "last": True}
    answer = session.answer(message | {"data": content})
    assert answer["windows"]["low"] == pytest.approx(300)
    colour = saved(data_set(np.dstack([GRAY, GRAY, GRAY])))
    answer = session.answer(message | {"data": colour})
    assert (answer["is_dicom"], answer["windows"]) == (True, None)


def test_a_file_of_params_sets_the_controls(session):
    session.answer({"ask": "start"})
    params = EnhanceParams(clip_limit=7.0, percentiles=None)
    answer = session.answer({"ask": "params", "name": "a.json", "text": params.to_json()})
    assert answer["choice"]["params"] == params.to_dict()
    assert_same_image(image_of(answer["after"]), cxe.enhance(GRAY, params))
    for text, sentence in [
        ("x", "`text` must be one JSON object"),
        ('{"channel_order": "bgr"}', "`channel_order` must be 'rgb'"),
    ]:
        answer = session.answer({"ask": "params", "name": "a.json", "text": text})
        assert sentence in answer["error"]
        assert "File: 'a.json'." in answer["error"] or "channel_order" in text
    assert session.choice.params == params


def test_tiles_are_told_with_their_clipped_share(session):
    session.answer({"ask": "start"})
    answer = session.answer({"ask": "tiles", "choice": choice_of(tile_grid_size=(5, 3))})
    shares = clipped_shares(GRAY, EnhanceParams(tile_grid_size=(5, 3)))
    np.testing.assert_allclose(answer["shares"], shares, atol=5e-5)
    assert answer["tile"] == [14, 30]
    for choice in (choice_of(preset="study"), choice_of(clip_limit=None)):
        assert session.answer({"ask": "tiles", "choice": choice})["shares"] is None


def test_a_contact_sheet_shows_each_limit_with_each_grid(session):
    session.answer({"ask": "start"})
    message = {"ask": "sheet", "choice": choice_of(), "limits": [1, 4.5], "grids": [[4, 4], [8, 2]]}
    answer = session.answer(message)
    assert answer["columns"] == 2
    told = [(panel["clip_limit"], panel["tile_grid_size"]) for panel in answer["panels"]]
    assert told == [(1, [4, 4]), (4.5, [4, 4]), (1, [8, 2]), (4.5, [8, 2])]
    for panel, (limit, grid) in zip(answer["panels"], told, strict=True):
        params = EnhanceParams(clip_limit=limit, tile_grid_size=tuple(grid))
        assert_same_image(image_of(panel), cxe.enhance(GRAY, params))
    for wrong in ({"limits": []}, {"limits": [1] * 49}, {"limits": [-1]}, {"grids": [[0, 1]]}):
        assert session.answer(message | wrong)["error"]


def test_without_files_the_page_is_empty_until_one_is_dropped(tmp_path):
    session = Session(Files([]), Choice(params=EnhanceParams()))
    answer = session.answer({"ask": "start"})
    assert "before" not in answer
    assert answer["count"] == 0
    assert session.answer({"ask": "tiles", "choice": choice_of()})["error"].startswith("An image")
    assert "after" not in session.answer({"ask": "render", "choice": choice_of()})


def test_the_first_file_may_be_broken(folder):
    session = Session(Files([str(folder / "b.png")]), Choice(params=EnhanceParams()))
    answer = session.answer({"ask": "start"})
    assert answer["error"].endswith("File: 'b.png'.")
    assert answer["defaults"] == EnhanceParams().to_dict()


def test_a_file_that_has_gone_is_a_sentence(session, folder):
    session.answer({"ask": "start"})
    (folder / "b.png").unlink()
    answer = session.answer({"ask": "step", "by": 1})
    assert answer["error"] == f"{folder / 'b.png'}: No such file or directory."


def test_an_array_is_shown_and_sessions_do_not_share_anything():
    first, second = (
        Session(Files([]), Choice(params=EnhanceParams()), source_of_array(GRAY)) for _ in range(2)
    )
    assert_same_image(image_of(first.answer({"ask": "start"})["after"]), cxe.enhance(GRAY))
    second.answer({"ask": "start"})
    second.answer({"ask": "render", "choice": choice_of(clip_limit=9.0)})
    assert first.choice.params == EnhanceParams()


@pytest.mark.parametrize(
    "message", [None, {}, {"ask": "exec"}, {"ask": "upload"}, {"ask": "step"}, 3]
)
def test_messages_of_no_meaning_are_answered_with_an_error(session, message):
    assert session.answer(message)["error"]


def test_a_folder_without_an_image_says_so(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("words")
    session = Session(Files([str(tmp_path)]), Choice(params=EnhanceParams()))
    answer = session.answer({"ask": "start"})
    assert answer["error"] == "None of the files is an image."
    assert answer["defaults"] == EnhanceParams().to_dict()
    assert "before" not in answer


def test_the_still_picture_is_the_image_before_and_after_beside_each_other():
    wide = np.dstack([GRAY, GRAY, GRAY])
    for image in (GRAY, wide):
        session = Session(Files([]), Choice(params=EnhanceParams()), source_of_array(image))
        session.answer({"ask": "start"})
        picture = cxe.read_image(session.still())
        assert picture.shape[:2] == (90, 70 + 4 + 70)
        assert_same_image(np.ascontiguousarray(picture[:, :70]), image)
        after = cxe.enhance(image)
        after = after if picture.ndim == 2 else np.dstack([after] * 3)
        assert_same_image(np.ascontiguousarray(picture[:, 74:]), after)
        assert (picture[:, 70:74] == 255).all()


def test_an_image_that_looks_inverted_is_said_to_and_shown_as_it_is():
    negative = 255 - synthetic_radiograph(320, 300)
    session = Session(Files([]), Choice(params=EnhanceParams()), source_of_array(negative))
    answer = session.answer({"ask": "start"})
    assert answer["notes"] == [
        "The image looks inverted: upper corners and lungs are brighter than the spine. "
        "cxr-enhance run --invert auto turns such images over."
    ]
    assert_same_image(image_of(answer["before"]), negative)
    upright = Session(Files([]), Choice(params=EnhanceParams()), source_of_array(255 - negative))
    assert upright.answer({"ask": "start"})["notes"] == []


def test_what_a_dicom_header_was_forgiven_is_one_sentence(session):
    pixels = synthetic_radiograph(40, 30, bits=12)
    content = saved(data_set(pixels, bits=12, WindowCenter=2000, WindowWidth=0, RescaleSlope=0))
    answer = session.answer(
        {"ask": "upload", "name": "a.dcm", "data": content, "first": True, "last": True}
    )
    notes = cxe.io.image_info(content).notes
    assert len(notes) == 2
    assert answer["notes"] == [f"DICOM header amiss: {notes[0]}; {notes[1]}."]
