"""`cxr-enhance doctor`: names what is there, and fails where something is wrong."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import _self_check
from cxr_enhance._kernels import code_files, entries
from cxr_enhance._kernels.code_directory import CacheChoice
from cxr_enhance._kernels.code_stamp import CodeKey
from tests.golden import generate_self_check

pytest.importorskip("typer")
_doctor = pytest.importorskip("cxr_enhance.cli._doctor")


@pytest.fixture
def stored(monkeypatch):
    """Give a function that changes the stored cases."""
    cases = _self_check.stored_cases()

    def change(index, **entries):
        cases[index].update(entries)
        monkeypatch.setattr(_self_check, "stored_cases", lambda: cases)

    return change


@pytest.mark.opencv
def test_a_sound_installation_has_no_problem(cli):
    result = cli("doctor")
    assert result.err == ""
    assert result.status == 0
    for label in (
        "cxr-enhance",
        "Python",
        "NumPy",
        "Numba",
        "system",
        "CPU",
        "cache",
        "OpenCV",
        "fast PNG",
    ):
        assert any(line.startswith(label) for line in result.out.splitlines())
    assert cxe.__version__ in result.out
    assert np.__version__ in result.out
    number = len(_self_check.stored_cases())
    assert f"{number} of {number} stored results reproduced" in result.out
    assert result.out.endswith("0 problems found\n")


def test_a_missing_isal_is_named_with_its_cure_and_no_problem(cli, monkeypatch):
    monkeypatch.setattr(_doctor, "load_isal", lambda: None)
    result = cli("doctor")
    cure = "Install it with: pip install isal"
    assert f"fast PNG     none: isal cannot be imported, OpenCV writes PNG. {cure}" in result.out
    assert result.status == 0


def test_a_result_that_differs_is_a_problem(cli, stored):
    stored(2, output_sha256="0" * 64)
    result = cli("doctor")
    assert result.status == 1
    assert "self-check   PROBLEM" in result.out
    assert "other bytes than those stored" in result.out


def test_the_stored_results_cover_bins_as_counted_by_default_at_16_bits():
    defaults = cxe.EnhanceParams()
    covered = [
        (params.num_bins, params.bits)
        for params in (
            cxe.EnhanceParams.from_dict(case["params"])
            for case in _self_check.stored_cases()
            if case["input"]["bits"] > 8
        )
    ]
    assert {(None, None), (defaults.num_bins, None), (256, 12)} <= set(covered)


def test_an_input_that_differs_is_told_apart(cli, stored):
    stored(0, input_sha256="0" * 64)
    result = cli("doctor")
    assert result.status == 1
    assert "its input is drawn differently here" in result.out


def test_a_check_that_breaks_is_a_problem_not_a_traceback(cli, stored):
    stored(0, params={"clip_limit": "strong"})
    result = cli("doctor")
    assert result.status == 1
    assert "TypeError: `clip_limit` must be a number" in result.out


def test_opencv_that_cannot_load_is_a_problem_and_the_rest_is_reported(cli, monkeypatch):
    def fail():
        raise ImportError("OpenCV is installed but cannot be loaded: libGL.so.1.")

    monkeypatch.setattr(_doctor, "load_cv2", fail)
    monkeypatch.setattr(_doctor, "installed_wheels", dict)
    result = cli("doctor")
    assert result.status == 1
    assert "OpenCV       PROBLEM OpenCV is installed but cannot be loaded" in result.out
    assert "stored results reproduced" in result.out
    assert result.out.endswith("1 problem found\n")


def test_two_opencv_wheels_are_a_problem_with_a_cure(cli, monkeypatch):
    wheels = {"opencv-python": "5.0.0", "opencv-python-headless": "4.11.0"}
    monkeypatch.setattr(_doctor, "installed_wheels", lambda: wheels)
    result = cli("doctor")
    assert result.status == 1
    assert "opencv-python 5.0.0, opencv-python-headless 4.11.0: they overwrite" in result.out
    assert "pip uninstall --yes opencv-python opencv-python-headless, then pip" in result.out


@pytest.mark.opencv
def test_pydicom_and_what_decodes_each_kind_of_pixels_are_listed(cli):
    pydicom = pytest.importorskip("pydicom")
    result = cli("doctor")
    assert f"\npydicom      {pydicom.__version__}\n" in result.out
    for kind in ("JPEG lossless by", "JPEG-LS by", "JPEG 2000 by", "HTJ2K by", "RLE by"):
        assert kind in result.out
    is_there = importlib.util.find_spec("libjpeg") is not None
    assert ("JPEG 12 bits by pylibjpeg" in result.out) is is_there
    assert ("none for JPEG 12 bits; those there are have the GPL" in result.out) is not is_there


def test_a_decoder_that_is_missing_is_a_problem_with_its_cure(cli, monkeypatch):
    monkeypatch.setattr(_doctor, "decoders_here", lambda: {"HTJ2K": [], "RLE": ["pydicom"]})
    result = cli("doctor")
    assert result.status == 1
    assert 'PROBLEM none for HTJ2K. Install one with: pip install "cxr-enhance[cli]"' in result.out


def test_missing_pydicom_is_a_problem_and_the_rest_is_reported(cli, monkeypatch):
    def fail():
        raise ImportError("pydicom is needed for DICOM files.")

    monkeypatch.setattr(_doctor, "load_pydicom", fail)
    result = cli("doctor")
    assert result.status == 1
    assert "pydicom      PROBLEM pydicom is needed for DICOM files." in result.out
    assert "stored results reproduced" in result.out


def test_a_pydicom_before_its_security_release_is_a_problem(cli, monkeypatch):
    monkeypatch.setattr(_doctor, "load_pydicom", lambda: SimpleNamespace(__version__="3.0.1"))
    result = cli("doctor")
    assert result.status == 1
    assert "pydicom      PROBLEM 3.0.1. Files can harm those before 3.0.2" in result.out


HERE = CodeKey("py311", "numpy2.4.6", "numba0.68.1", "llvmlite0.50.0", "5ou2ce5", "cpu")


@pytest.fixture
def pack(monkeypatch, tmp_path):
    """Give a function that packs code with a key that differs from `HERE` as the test asks."""
    monkeypatch.setattr(code_files, "PACKED", tmp_path)
    monkeypatch.setattr(code_files, "code_key", lambda: HERE)
    monkeypatch.setattr(_doctor, "run_self_check", list)

    def pack(**fields):
        (tmp_path / str(HERE._replace(**fields))).mkdir()

    return pack


def test_packed_code_that_fits_is_named_by_its_folder(cli, pack, tmp_path):
    pack()
    assert f"packed code  {tmp_path / str(HERE)}\n" in cli("doctor").out


def test_damaged_packed_code_is_told_by_its_name(cli, pack, tmp_path):
    pack()
    (tmp_path / str(HERE) / "enhance_u8-uint8.code").write_bytes(b"damaged")
    cure = "Install the package anew to have its kernels compiled for this machine."
    line = f"{tmp_path / str(HERE)}; not used, because damaged: enhance_u8-uint8.code. {cure}\n"
    assert f"packed code  {line}" in cli("doctor").out


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"numba": "numba0.67.0"}, "it was compiled with Numba 0.67.0, here is 0.68.1"),
        ({"python": "py312"}, "it was compiled with Python 312, here is 311"),
        ({"kernels": "other"}, "the sources of the kernels have changed"),
        ({"processor": "x"}, "it was compiled for another CPU or with other settings of Numba"),
        (
            {"numpy": "numpy2.5.0", "llvmlite": "llvmlite0.49.0"},
            "it was compiled with NumPy 2.5.0, here is 2.4.6; "
            "it was compiled with llvmlite 0.49.0, here is 0.50.0",
        ),
    ],
)
def test_packed_code_that_does_not_fit_is_told_with_the_reason(cli, pack, fields, reason):
    pack(**fields)
    result = cli("doctor")
    cure = "Install the package anew to have its kernels compiled for this machine."
    assert f"packed code  not used: {reason}. {cure}\n" in result.out


def test_an_installation_without_packed_code_says_so(cli, pack):
    text = "packed code  not used: nothing was compiled when the package was installed. "
    assert text in cli("doctor").out


def test_a_kernel_whose_code_cannot_be_kept_is_told(cli, pack, monkeypatch):
    monkeypatch.setattr(entries, "failures", {"enhance_u8-uint8": "OSError: no symbol"})
    line = "kernel       enhance_u8-uint8 is compiled anew in each process: OSError: no symbol\n"
    assert line in cli("doctor").out


def test_no_cache_directory_is_told_with_the_cure(cli, monkeypatch):
    choice = CacheChoice(None, ("others can write to /srv/cache, or own it",))
    monkeypatch.setattr(_doctor, "choose_cache", lambda: choice)
    result = cli("doctor")
    line = (
        "none: kernels that are not packed are compiled anew in each process; others can write to"
    )
    assert line in result.out
    assert "Point NUMBA_CACHE_DIR at a folder that only you can change" in result.out


def test_a_cache_directory_that_was_passed_over_is_told_with_the_reason(cli, monkeypatch):
    choice = CacheChoice(Path("/home/me/kept"), ("others can write to /srv/cache, or own it",))
    monkeypatch.setattr(_doctor, "choose_cache", lambda: choice)
    result = cli("doctor")
    kept = Path("/home/me/kept")
    assert f"cache        {kept}; others can write to /srv/cache, or own it\n" in result.out


@pytest.mark.opencv
def test_stored_cases_are_those_of_the_generator():
    pytest.importorskip("cv2")
    stored = json.loads(generate_self_check.PATH.read_text(encoding="utf-8"))
    assert generate_self_check.build()["cases"] == stored["cases"]


def test_stored_cases_are_many_small_and_named_once():
    names = [case["name"] for case in _self_check.stored_cases()]
    assert 10 <= len(names) == len(set(names)) <= 20
    assert generate_self_check.PATH.stat().st_size < 20_000
