"""`cxr-enhance run` as a user meets it: what is written, what is said, and the exit status."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.cli import main
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code
from tests.helpers.image_files import encoded
from tests.helpers.permissions import needs_permissions
from tests.reference import enhance, notebook_chain

cv2 = pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and permissions")


def write(path, height=60, width=50, seed=0, bits=8, channels=1):
    """Write a radiograph to `path` in its extension's format, whatever the name."""
    image = synthetic_radiograph(height, width, seed=seed, bits=bits)
    if channels == 3:
        image = np.dstack([image, image // 2, 255 - image])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    extension = os.path.splitext(path)[1].lower()
    path.write_bytes(encoded(".png" if extension not in (".jpg", ".tif") else extension, image))
    return path


def files_below(folder):
    """List the files below `folder` but the manifest, relative and sorted."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != "manifest.jsonl")


@pytest.fixture
def folder(tmp_path):
    """Make an input folder with a tree of images and one file that is none."""
    write(tmp_path / "in" / "gray.png", seed=1)
    write(tmp_path / "in" / "sub" / "gray16.png", 41, 67, seed=2, bits=16)
    write(tmp_path / "in" / "sub" / "colour.jpg", seed=3, channels=3)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    return tmp_path / "in"


def test_each_output_is_the_notebooks_chain_on_the_same_pixels(cli, folder, tmp_path):
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 0
    assert files_below(tmp_path / "out") == ["gray.png", "sub/colour.png", "sub/gray16.png"]
    for name, source in [
        ("gray.png", "gray.png"), ("sub/colour.png", "sub/colour.jpg"),
        ("sub/gray16.png", "sub/gray16.png"),
    ]:  # fmt: skip
        pixels = cv2.imread(str(folder / source), cv2.IMREAD_UNCHANGED)
        if pixels.dtype == np.uint16:  # where levels are counted that OpenCV cannot
            expected = enhance(pixels)
        else:
            expected = notebook_chain(pixels, channel_order="bgr")
        written = cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED)
        assert_same_image(written, expected)


def test_a_run_says_what_it_did(cli, folder, tmp_path):
    result = cli("run", folder, "--out", tmp_path / "out", "--tile-grid-size", 2, 2)
    assert result.out.startswith("3 enhanced, 1 skipped (no images) in ")
    assert result.out.rstrip().endswith(f"output in {tmp_path / 'out'}")
    assert result.err == ""


def test_params_of_the_command_line_are_those_of_the_api(cli, folder, tmp_path):
    result = cli(
        "run", folder / "gray.png", "--out", tmp_path / "out", "--clip-limit", "3.7",
        "--tile-grid-size", 4, 7, "--percentiles", 1, 98.5, "--bit-shift", 1,
    )  # fmt: skip
    assert result.status == 0
    params = cxe.EnhanceParams(
        clip_limit=3.7, tile_grid_size=(4, 7), percentiles=(1, 98.5), bit_shift=1
    )
    expected = cxe.enhance(cxe.read_image(folder / "gray.png"), params)
    assert_same_image(cxe.read_image(tmp_path / "out" / "gray.png"), expected)


@pytest.mark.parametrize(
    ("options", "params"),
    [
        (["--no-white-balance"], {"percentiles": None}),
        (["--no-clahe"], {"clip_limit": None}),
        (["--no-clahe", "--no-white-balance"], {"percentiles": None, "clip_limit": None}),
        (["--clip-limit", "0"], {"clip_limit": 0}),
    ],
)
def test_steps_can_be_left_out(cli, folder, tmp_path, options, params):
    assert cli("run", folder, "--out", tmp_path / "out", *options).status == 0
    for name, source in [("gray.png", "gray.png"), ("sub/colour.png", "sub/colour.jpg")]:
        expected = cxe.enhance(cxe.read_image(folder / source), cxe.EnhanceParams(**params))
        assert_same_image(cxe.read_image(tmp_path / "out" / name), expected)


def test_help_shows_the_defaults_of_the_record(cli):
    result = cli("run", "--help")
    assert result.status == 0
    words = " ".join(result.out.split())
    for field in dataclasses.fields(cxe.EnhanceParams):
        if field.name in ("channel_order", "output", "bits"):
            continue
        default = field.default if isinstance(field.default, tuple) else (field.default,)
        assert f"[default: {' '.join(map(str, default))}]" in words
        assert f"--{field.name.replace('_', '-')} " in words


@pytest.mark.parametrize(
    ("options", "params"),
    [
        (["--num-bins", "all"], cxe.EnhanceParams(num_bins=None)),
        (["--num-bins", "64"], cxe.EnhanceParams(num_bins=64)),
        (["--bit-shift", "4"], cxe.EnhanceParams(bit_shift=4)),
        (["--bits", "12"], cxe.EnhanceParams(bits=12)),
        (["--bits", "12", "--num-bins", "all"], cxe.EnhanceParams(bits=12, num_bins=None)),
    ],
    ids=["all bins", "64 bins", "bit shift", "12 bits", "12 bits, all bins"],
)
def test_bins_and_bits_of_the_command_line_are_those_of_the_api(cli, tmp_path, options, params):
    path = write(tmp_path / "deep.png", 240, 250, bits=12)
    assert cli("run", path, "--out", tmp_path / "out", *options).status == 0
    written = cxe.read_image(tmp_path / "out" / "deep.png")
    assert_same_image(written, cxe.enhance(cxe.read_image(path), params))


def test_a_file_of_values_beyond_the_bits_fails_by_itself(cli, tmp_path):
    write(tmp_path / "in" / "a.png", 64, 64, bits=12)
    write(tmp_path / "in" / "b.png", 64, 64, bits=16)
    result = cli("run", tmp_path / "in", "--out", tmp_path / "out", "--bits", 12)
    assert result.status == 1
    assert files_below(tmp_path / "out") == ["a.png"]
    assert "`image` must hold values from 0 to 4095 for bits=12; got " in result.err


def test_a_clip_limit_without_effect_is_said_once(cli, tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        write(tmp_path / "in" / name, 240, 250, bits=16)
    result = cli("run", tmp_path / "in", "--out", tmp_path / "out", "--num-bins", "all")
    notes = [line for line in result.out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert notes[0].endswith(
        ".png: --clip-limit 2 has no effect: at 65536 gray levels and tiles of 256 pixels every "
        "limit below 512 keeps 1 pixel a level. Use --num-bins 256. The same of 2 more."
    )
    # The cure, taken literally.
    words = ["--out", tmp_path / "cured", "--num-bins", "256"]
    assert "note: " not in cli("run", tmp_path / "in", *words).out


@pytest.mark.parametrize(
    ("bits", "size", "options", "sentence", "cure"),
    [
        (16, 240, [], None, []),
        (16, 1920, ["--clip-limit", 7], None, []),  # of 256 levels
        (
            16, 1920, ["--num-bins", "all", "--clip-limit", 7], "below 9.10222 keeps",
            ["--num-bins", 256],
        ),
        (
            16, 240, ["--bit-shift", 4], "Use --bit-shift 0 --num-bins 256.",
            ["--bit-shift", 0, "--num-bins", 256],
        ),
        (
            16, 120, ["--num-bins", 300], "Use --num-bins 256 and fewer tiles.",
            ["--num-bins", 256, "--tile-grid-size", 8, 8],
        ),
        (8, 120, [], "or a limit above 8.", ["--clip-limit", 8.01]),
        (8, 120, ["--clip-limit", 0], None, []),
        (8, 120, ["--no-clahe"], None, []),
    ],
)  # fmt: skip
def test_the_cure_of_a_limit_without_effect_is_right_as_it_stands(
    cli, tmp_path, bits, size, options, sentence, cure
):
    path = write(tmp_path / "in" / "a.png", size, size, bits=bits)
    said = cli("run", path, "--out", tmp_path / "out", *options)
    assert ("note: " in said.out) is (sentence is not None)
    assert (sentence or "") in said.out
    cured = cli("run", path, "--out", tmp_path / "cured", *options, *cure)
    assert "note: " not in cured.out
    assert cured.status == 0


def test_a_limit_said_to_have_no_effect_has_none(cli, tmp_path):
    path = write(tmp_path / "a.png", 480, 480, bits=16)
    image = cxe.read_image(path)
    result = cli("run", path, "--out", tmp_path / "out", "--num-bins", "all", "--clip-limit", 140)
    below = float(re.search(r"every limit below (\S+) keeps", result.out)[1])
    least, same, other = (
        cxe.clahe(image, clip_limit=limit) for limit in (0.01, below * 0.999, below * 1.001)
    )
    assert_same_image(same, least)
    assert not np.array_equal(other, least)


def test_a_narrow_range_without_white_balance_is_said_once_with_its_cure(cli, tmp_path):
    path = write(tmp_path / "in" / "deep.png", 240, 250, bits=12)
    least, most = int(cxe.read_image(path).min()), int(cxe.read_image(path).max())
    result = cli("run", path, "--out", tmp_path / "out", "--no-white-balance")
    assert f"note: {path}: values span {least} to {most}, less than a quarter of " in result.out
    assert f"use --bits {most.bit_length()}." in result.out
    words = ["--no-white-balance", "--bits", most.bit_length(), "--json"]
    cured = json.loads(cli("run", path, "--out", tmp_path / "cured", *words).out)
    assert cured["hints"] == {}
    assert json.loads(
        cli("run", path, "--out", tmp_path / "dark", "--no-white-balance", "--json").out
    )["hints"] == {"narrow range": 1}


def test_the_cure_of_a_narrow_range_is_right_where_a_file_leaves_white_balance_out(cli, tmp_path):
    path = write(tmp_path / "in" / "deep.png", 240, 250, bits=12)
    file = tmp_path / "params.json"
    file.write_text(cxe.EnhanceParams(percentiles=None).to_json())
    words = ["run", path, "--params", file]
    said = cli(*words, "--out", tmp_path / "out").out
    assert "--percentiles 0.05 99.95 in place of --no-white-balance." in said
    cured = cli(*words, "--out", tmp_path / "cured", "--percentiles", 0.05, 99.95)
    assert "note: " not in cured.out


def test_options_given_win_over_the_file_of_params(cli, folder, tmp_path):
    in_file = cxe.EnhanceParams(clip_limit=9.0, tile_grid_size=(3, 5), output="rgb")
    (tmp_path / "params.json").write_text(in_file.to_json())
    cli(
        "run", folder / "gray.png", "--out", tmp_path / "out", "--params",
        tmp_path / "params.json", "--clip-limit", 1.5,
    )  # fmt: skip
    params = dataclasses.replace(in_file, clip_limit=1.5)
    expected = cxe.enhance(cxe.read_image(folder / "gray.png"), params)
    assert expected.shape[2] == 3
    assert_same_image(cxe.read_image(tmp_path / "out" / "gray.png"), expected)


@pytest.mark.parametrize(("name", "extension"), [("png", "png"), ("jpeg", "jpg"), ("npy", "npy")])
def test_writes_the_format_asked_for(cli, folder, tmp_path, name, extension):
    result = cli("run", folder / "gray.png", "--out", tmp_path / "out", "--format", name)
    assert result.status == 0
    assert files_below(tmp_path / "out") == [f"gray.{extension}"]
    expected = cxe.enhance(cxe.read_image(folder / "gray.png"))
    written = tmp_path / "out" / f"gray.{extension}"
    if name == "npy":
        assert_same_image(np.load(written), expected)
    elif name == "png":
        assert_same_image(cxe.read_image(written), expected)
    else:
        assert written.read_bytes() == encoded(".jpg", expected)


def test_a_format_that_cannot_hold_an_image_fails_for_that_image(cli, folder, tmp_path):
    result = cli("run", folder, "--out", tmp_path / "out", "--format", "jpeg")
    assert result.status == 1
    assert files_below(tmp_path / "out") == ["gray.jpg", "sub/colour.jpg"]
    (line,) = result.err.splitlines()
    assert line.startswith(
        f"failed: {folder / 'sub' / 'gray16.png'}: `image` must have dtype uint8"
    )


def test_failures_are_named_one_a_line_and_the_others_done(cli, folder, tmp_path):
    whole = (folder / "gray.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:300])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.JPG").write_text("no image, whatever its name says")
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 1
    done = ["gray.png", "sub/colour.png", "sub/gray16.png"]
    assert files_below(tmp_path / "out") == done
    lines = sorted(result.err.splitlines())
    assert [line.split(": ")[1] for line in lines] == [
        str(folder / name) for name in ("cut.png", "empty.png", "text.JPG")
    ]
    assert "got a PNG cut short after 300 bytes." in lines[0]
    assert "got an empty file." in lines[1]
    assert "3 failed" in result.out


def test_a_file_that_is_no_image_fails_when_named(cli, folder, tmp_path):
    result = cli("run", folder / "notes.txt", folder / "gray.png", "--out", tmp_path / "out")
    assert result.status == 1
    assert files_below(tmp_path / "out") == ["gray.png"]
    assert f"failed: {folder / 'notes.txt'}: `source` must hold a whole JPEG" in result.err


def test_a_missing_input_fails_and_the_others_are_done(cli, folder, tmp_path):
    result = cli("run", tmp_path / "nothing.png", folder / "gray.png", "--out", tmp_path / "out")
    assert result.status == 1
    assert result.err == f"failed: {tmp_path / 'nothing.png'}: does not exist.\n"
    assert files_below(tmp_path / "out") == ["gray.png"]


def test_leftovers_of_macos_are_skipped(cli, folder, tmp_path):
    (folder / "._gray.png").write_bytes(b"\0\5\x16\7" + bytes(100))
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 0
    assert "2 skipped (no images)" in result.out


def test_existing_outputs_stay_and_are_counted(cli, folder, tmp_path):
    cli("run", folder, "--out", tmp_path / "out")
    (tmp_path / "out" / "gray.png").write_bytes(b"precious")
    result = cli("run", folder, "--out", tmp_path / "out", "--clip-limit", 7)
    assert result.status == 0
    assert result.out.startswith(
        "0 enhanced, 1 skipped (no images), 3 skipped (output exists; --overwrite replaces it) in"
    )
    assert (tmp_path / "out" / "gray.png").read_bytes() == b"precious"


def test_overwrite_replaces_existing_outputs(cli, folder, tmp_path):
    cli("run", folder, "--out", tmp_path / "out")
    (tmp_path / "out" / "gray.png").write_bytes(b"replace me")
    result = cli("run", folder, "--out", tmp_path / "out", "--overwrite")
    assert result.status == 0
    assert result.out.startswith("3 enhanced")
    expected = cxe.enhance(cxe.read_image(folder / "gray.png"))
    assert_same_image(cxe.read_image(tmp_path / "out" / "gray.png"), expected)


def test_inputs_are_never_written_over(cli, folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = cli("run", folder / "gray.png", "--out", folder, "--overwrite")
    assert result.status == 1
    assert "would replace an input" in result.err
    result = cli("run", folder, "--out", folder, "--overwrite")
    assert result.status == 2
    assert result.err == f"Error: `--out` must not be an input folder; got {str(folder)!r}.\n"
    (folder / "manifest.jsonl").unlink()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_second_run_does_not_read_the_output_of_the_first(cli, folder):
    first = cli("run", folder, "--out", folder / "out", "--json")
    second = cli("run", folder, "--out", folder / "out", "--json", "--overwrite")
    assert json.loads(first.out)["written"] == json.loads(second.out)["written"] == 3


def test_inputs_that_meet_get_distinct_names(cli, tmp_path):
    write(tmp_path / "in" / "a.png", seed=1)
    write(tmp_path / "in" / "a.tif", seed=2)
    assert cli("run", tmp_path / "in", "--out", tmp_path / "out").status == 0
    assert files_below(tmp_path / "out") == ["a_png.png", "a_tif.png"]
    expected = cxe.enhance(cxe.read_image(tmp_path / "in" / "a.tif"))
    assert_same_image(cxe.read_image(tmp_path / "out" / "a_tif.png"), expected)


@pytest.mark.parametrize("name", ["ein scan.png", "胸.png", "new\nline.png", "tab\t.png", "-x.png"])
def test_any_name_is_processed_and_shown_on_one_line(cli, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in" / name)
    write(tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    result = cli("run", "--out", "out", "in", "--", name)
    assert result.status == 1
    assert len(result.err.splitlines()) == 1
    assert files_below(tmp_path / "out") == [f"{Path(name).stem}_png_in.png"]  # two have the name


@posix_only
def test_a_name_that_is_not_utf8_is_processed_and_shown(cli, tmp_path):
    good, broken = (
        os.path.join(os.fsencode(tmp_path), b"in", name) for name in (b"\xe4.png", b"\xff.png")
    )
    write(tmp_path / "in" / "x.png").rename(os.fsdecode(good))
    with open(broken, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
    result = cli("run", tmp_path / "in", "--out", tmp_path / "out", "--json")
    assert result.status == 1
    assert r"\xff.png: " in result.err
    report = json.loads(result.out)
    assert [os.fsencode(os.path.basename(entry["source"])) for entry in report["files"]] == [
        b"\xe4.png", b"\xff.png",
    ]  # fmt: skip
    assert sorted(os.listdir(os.fsencode(tmp_path / "out"))) == [b"manifest.jsonl", b"\xe4.png"]


def test_json_reports_every_file(cli, folder, tmp_path):
    (folder / "cut.png").write_bytes((folder / "gray.png").read_bytes()[:300])
    result = cli("run", folder, "--out", tmp_path / "out", "--json", "--clip-limit", 3)
    assert result.status == 1
    report = json.loads(result.out)
    assert cxe.EnhanceParams(**report["params"]) == cxe.EnhanceParams(clip_limit=3)
    assert {name: report[name] for name in ("written", "skipped", "exists", "failed")} == {
        "written": 3, "skipped": 1, "exists": 0, "failed": 1,
    }  # fmt: skip
    assert report["interrupted"] is False
    by_source = {entry["source"]: entry for entry in report["files"]}
    assert by_source[str(folder / "gray.png")] == {
        "source": str(folder / "gray.png"),
        "target": str(tmp_path / "out" / "gray.png"),
        "status": "written",
        "reason": "",
    }
    assert by_source[str(folder / "cut.png")]["status"] == "failed"
    assert by_source[str(folder / "notes.txt")]["status"] == "skipped"


def test_quiet_prints_failures_only(cli, folder, tmp_path):
    (folder / "cut.png").write_bytes((folder / "gray.png").read_bytes()[:300])
    result = cli("run", folder, "--out", tmp_path / "out", "--quiet")
    assert result.out == ""
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_any_number_of_threads_writes_the_same(cli, tmp_path, threads):
    for index in range(20):
        write(tmp_path / "in" / f"{index}.png", 20 + index, 30, seed=index)
    result = cli("run", tmp_path / "in", "--out", tmp_path / "out", "--threads", threads)
    assert result.out.startswith("20 enhanced")
    for index in range(20):
        expected = cxe.enhance(cxe.read_image(tmp_path / "in" / f"{index}.png"))
        assert_same_image(cxe.read_image(tmp_path / "out" / f"{index}.png"), expected)


def test_an_empty_folder_is_done_at_once(cli, tmp_path):
    (tmp_path / "in").mkdir()
    result = cli("run", tmp_path / "in", "--out", tmp_path / "out")
    assert result.status == 0
    assert result.out.startswith("0 enhanced in")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--clip-limit", "-1"], "`clip_limit` must be finite and at least 0"),
        (["--clip-limit", "nan"], "`clip_limit` must be finite and at least 0"),
        (["--tile-grid-size", "0", "4"], "`tile_grid_size` must be two positive ints (columns, ro"),
        (["--percentiles", "99", "1"], "`percentiles` must satisfy 0 <= low < high <= 100; got"),
        (["--bit-shift", "99"], "`bit_shift` must be from 0 to 15; got 99."),
        (["--threads", "0"], "`--threads` must be at least 1; got 0."),
        (["--no-clahe", "--clip-limit", "2"], "`--clip-limit`, `--tile-grid-size`, `--bit-sh"),
        (["--no-clahe", "--num-bins", "64"], "`--clip-limit`, `--tile-grid-size`, `--bit-shif"),
        (["--num-bins", "few"], "`--num-bins` must be a whole number or all; got 'few'."),
        (["--num-bins", "1"], "`num_bins` must be from 2 to 65536; got 1."),
        (["--num-bins", "256", "--bit-shift", "4"], "`num_bins` must be None where `bit_shift`"),
        (["--bits", "0"], "`bits` must be from 1 to 16; got 0."),
        (
            ["--no-white-balance", "--percentiles", "1", "99"],
            "`--percentiles` must not be given wi",
        ),
        (["--params", "missing.json"], "missing.json: No such file or directory."),
        (["--params", "bad.json"], "`text` must be one JSON object; got invalid JSON"),
        (
            ["--params", "unknown.json"],
            "`options` must have only the names percentiles, clip_limit",
        ),
        (["--params", "range.json"], "`clip_limit` must be finite and at least 0"),
        (["--params", "type.json"], "`clip_limit` must be a number; got 'x'. File: 'type.json'."),
        (["--params", "bgr.json"], "`channel_order` must be 'rgb' on the command line"),
    ],
)
def test_wrong_usage_is_the_apis_sentence_and_status_2(
    cli, tmp_path, monkeypatch, options, sentence
):
    monkeypatch.chdir(tmp_path)
    write("a.png")
    for name, text in {
        "bad": "{", "unknown": '{"clip": 1}', "range": '{"clip_limit": -1}',
        "type": '{"clip_limit": "x"}', "bgr": '{"channel_order": "bgr"}',
    }.items():  # fmt: skip
        Path(f"{name}.json").write_text(text)
    result = cli("run", "a.png", "--out", "out", *options)
    assert result.status == 2
    assert result.out == ""
    assert result.err.startswith(f"Error: {sentence}")
    assert len(result.err.splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "a.png"],
        ["run", "a.png", "--out"],
        ["run", "a.png", "--out", "out", "--clip-limit", "strong"],
        ["run", "a.png", "--out", "out", "--tile-grid-size", "8"],
        ["run", "a.png", "--out", "out", "--tile-grid-size", "8.5", "8"],
        ["run", "a.png", "--out", "out", "--format", "gif"],
        ["run", "a.png", "--out", "out", "--unknown"],
        ["walk"],
    ],
)
def test_what_cannot_be_parsed_has_status_2_and_no_traceback(cli, words):
    result = cli(*words)
    assert result.status == 2
    assert "Error" in result.err
    assert "Traceback" not in result.err


def test_out_that_is_a_file_is_a_sentence(cli, folder, tmp_path):
    (tmp_path / "out").write_text("a file")
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        result = cli("run", folder, "--out", out)
        assert result.status == 2
        assert result.err.startswith("Error: `--out` must be a folder or a name where one can be")
    assert cli("run", folder, "--out", "").status == 2


@needs_permissions
def test_out_that_may_not_be_written_is_a_sentence(cli, folder, tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 2
    assert result.err.startswith("Error: `--out` must be a folder that you may write to; got")


@needs_permissions
def test_a_file_that_may_not_be_read_fails(cli, folder, tmp_path):
    (folder / "gray.png").chmod(0)
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 1
    assert result.err.startswith(f"failed: {folder / 'gray.png'}: Permission denied")


def test_a_file_in_the_place_of_a_folder_fails_for_its_images_only(cli, folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("in the way")
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 1
    assert result.out.startswith("1 enhanced, 1 skipped (no images), 2 failed")
    assert "Not a directory" in result.err


@posix_only
def test_links_that_lead_nowhere_fail(cli, folder, tmp_path):
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "self.png").symlink_to("self.png")
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 1
    assert sorted(line.split(": ")[1] for line in result.err.splitlines()) == [
        str(folder / "gone.png"), str(folder / "self.png"),
    ]  # fmt: skip
    assert result.out.startswith("3 enhanced")


@posix_only
def test_linked_folders_are_named_and_not_followed(cli, folder, tmp_path):
    (folder / "sub" / "loop").symlink_to(folder)
    result = cli("run", folder, "--out", tmp_path / "out")
    assert result.status == 0
    assert result.out.startswith("3 enhanced")
    assert "1 links to folders were not followed" in result.out


@posix_only
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_soon_and_leaves_whole_files_only(tmp_path, start, sent, status):
    data = write(tmp_path / "in" / "0.png", 900, 900).read_bytes()
    for index in range(1, 400):
        (tmp_path / "in" / f"{index}.png").write_bytes(data)
    for attempt in range(3):  # a loaded machine may be late once
        out = tmp_path / f"out{attempt}"
        running = start("run", tmp_path / "in", "--out", out, "--threads", "2", "--json")
        give_up = time.monotonic() + 120
        while running.poll() is None and time.monotonic() < give_up:
            if out.exists() and len(list(out.glob("*.png"))) > 3:
                break
            time.sleep(0.05)
        running.send_signal(sent)
        interrupted = time.monotonic()
        stdout, stderr = running.communicate(timeout=30)
        seconds = time.monotonic() - interrupted
        if seconds < 2:
            break
    assert seconds < 2
    assert running.returncode == status, stderr
    assert stderr == b""
    report = json.loads(stdout)
    assert report["interrupted"] is True
    names = {path.name for path in out.glob("*.png")}
    assert 3 < len(names) < 400
    assert set(os.listdir(out)) == names | {"manifest.jsonl"}  # nothing temporary is left
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert {os.path.basename(row["output"]) for row in rows[1:]} == names
    assert report["written"] == len(rows) - 1
    expected = cxe.enhance(cxe.read_image(tmp_path / "in" / "0.png"))
    for name in names:
        assert_same_image(cxe.read_image(out / name), expected)


@posix_only
def test_a_process_that_loses_its_interrupt_ends_all_the_same():
    program = (
        "import os, signal, time\n"
        "from cxr_enhance.cli import console\n"
        "console._LAST_RESORT_S = 0.2\n"
        "with console.termination_interrupts():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(1)\n"
        "    except KeyboardInterrupt:\n"
        "        time.sleep(60)\n"
    )
    run_code(program, status=130, timeout=30)


@posix_only
def test_a_reader_that_leaves_is_no_traceback(tmp_path, start):
    write(tmp_path / "in" / "a.png")
    running = start("run", tmp_path / "in", "--out", tmp_path / "out")
    running.stdout.close()
    with running.stderr as stderr:
        assert b"Traceback" not in stderr.read()
    assert running.wait(60) == 1
    assert files_below(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize("module", ["typer", "tqdm", "matplotlib"])
def test_a_missing_extra_is_a_sentence(tmp_path, start, module):
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError(name={module!r})")
    words = ["run", tmp_path, "--out", tmp_path / "out"] if module == "tqdm" else ["demo", tmp_path]
    running = start(*words, path=[tmp_path])
    stderr = running.communicate()[1].decode()
    assert running.returncode == 1
    assert stderr.endswith(
        f"Error: {module} is needed for the command line. "
        'Install it with: pip install "cxr-enhance[cli]"\n'
    )
    assert "Traceback" not in stderr


@pytest.mark.real_images
def test_real_radiographs_give_the_notebooks_bytes(cli, tmp_path):
    folders = os.environ["CXR_REAL_IMAGES"].split(os.pathsep)
    result = cli("run", *folders, "--out", tmp_path / "out", "--json", "--num-bins", "all")
    report = json.loads(result.out)
    assert result.err == ""
    assert result.status == 0
    assert report["written"] > 0
    for entry in report["files"]:
        if entry["status"] == "skipped" or entry["source"].endswith(".dcm"):
            continue
        pixels = np.fromfile(entry["source"], np.uint8)
        pixels = cv2.imdecode(pixels, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
        expected = notebook_chain(pixels, channel_order="bgr")
        written = cv2.imdecode(np.fromfile(entry["target"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert_same_image(written, expected)


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege only there")
def test_what_a_linked_input_points_to_is_never_written_over(tmp_path):
    originals, links = tmp_path / "originals", tmp_path / "links"
    originals.mkdir()
    links.mkdir()
    cxe.write_image(originals / "x.png", synthetic_radiograph(60, 50))
    (links / "x.png").symlink_to(originals / "x.png")
    before = (originals / "x.png").read_bytes()
    assert main(["run", str(links), "--out", str(originals), "--overwrite"]) == 1
    assert (originals / "x.png").read_bytes() == before


def test_params_may_begin_with_a_byte_order_mark(cli, folder, tmp_path):
    text = cxe.EnhanceParams(clip_limit=5.0).to_json()
    (tmp_path / "params.json").write_text(text, encoding="utf-8-sig")
    result = cli(
        "run", folder / "gray.png", "--out", tmp_path / "out", "--params", tmp_path / "params.json"
    )
    assert (result.status, result.err) == (0, "")


def test_a_dicom_output_without_pydicom_ends_before_the_first_file(cli, folder, tmp_path, start):
    (tmp_path / "pydicom.py").write_text("raise ModuleNotFoundError(name='pydicom')")
    for out in ("out", "out.dcm"):
        words = ["run", folder / "gray.png", "--out", tmp_path / out, "--format", "dicom"]
        running = start(*words, path=[tmp_path])
        stderr = running.communicate()[1].decode()
        assert running.returncode == 1
        assert len(stderr.splitlines()) == 1
        assert "pydicom" in stderr
        assert "Install it with: pip install" in stderr


def test_params_that_are_no_text_are_refused_in_a_sentence(tmp_path, capsys):
    params = tmp_path / "params.json"
    params.write_bytes(b'{"clip_limit": 2.0}\xff')
    status = main(["run", "a.png", "--out", str(tmp_path / "out"), "--params", str(params)])
    assert status == 2
    assert "`--params` must be a UTF-8 file; got" in capsys.readouterr().err


def test_the_help_names_the_profile(capfd):
    main(["run", "--help"])
    words = " ".join(capfd.readouterr().out.split())
    assert "Basic Application Level Confidentiality Profile of DICOM PS3.15" in words
