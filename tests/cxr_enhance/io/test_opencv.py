"""Every way in which OpenCV can be unusable ends in a sentence with its cure."""

from __future__ import annotations

import importlib.metadata
import types
from pathlib import Path

import pytest

from cxr_enhance.io import opencv
from tests.helpers.fresh_process import run_code
from tests.helpers.image_files import drawn, png

ROOT = Path(__file__).parents[3]


@pytest.fixture
def pretend(monkeypatch):
    """Give a function that replaces what importing cv2 does and which wheels are installed."""

    def set_up(import_result, wheels=(), files=()):
        def import_module(name):
            assert name == "cv2"
            if isinstance(import_result, BaseException):
                raise import_result
            return import_result

        def version(name):
            if name in wheels:
                return "5.0.0"
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(opencv.importlib, "import_module", import_module)
        monkeypatch.setattr(opencv.importlib.metadata, "version", version)
        monkeypatch.setattr(opencv.importlib.metadata, "files", dict(files).get)
        opencv._import_cv2.cache_clear()

    yield set_up
    monkeypatch.undo()
    opencv._import_cv2.cache_clear()


def message():
    with pytest.raises(ImportError) as caught:
        opencv.load_cv2()
    return str(caught.value)


def test_missing_opencv_names_the_extra(pretend):
    pretend(ModuleNotFoundError("No module named 'cv2'", name="cv2"))
    assert message() == (
        "OpenCV is needed to read and write image files. Install it with: "
        'pip install "cxr-enhance[cli]"'
    )


@pytest.mark.parametrize("library", ["libGL.so.1", "libgthread-2.0.so.0", "libxcb.so.1"])
def test_missing_system_library_names_the_headless_build(pretend, library):
    reason = f"{library}: cannot open shared object file: No such file or directory"
    pretend(ImportError(reason), wheels=["opencv-python"])
    said = message()
    assert f"OpenCV is installed but cannot be loaded: {library}: cannot open" in said
    assert "pip uninstall --yes opencv-python, then pip install" in said
    assert said.endswith('pip install "cxr-enhance[headless]"')


def test_two_wheels_side_by_side_name_both(pretend):
    wheels = ["opencv-python", "opencv-python-headless"]
    pretend(ImportError("libGL.so.1: cannot open shared object file"), wheels=wheels)
    said = message()
    assert "opencv-python and opencv-python-headless are installed side by side" in said
    assert "pip uninstall --yes opencv-python opencv-python-headless" in said


def test_opencv_for_another_numpy_names_the_upgrade(pretend):
    reason = "numpy.core.multiarray failed to import"
    pretend(ImportError(reason), wheels=["opencv-python"])
    assert "pip install --upgrade opencv-python" in message()


def test_any_other_failure_names_the_reinstall(pretend):
    pretend(RuntimeError("boom"), wheels=["opencv-python-headless"])
    assert message().endswith(
        "cannot be loaded: boom. Reinstall it with: "
        "pip install --force-reinstall --no-deps opencv-python-headless"
    )


def test_what_remains_of_an_uninstalled_wheel_is_told(pretend):
    pretend(types.ModuleType("cv2"), wheels=["opencv-python"])
    said = message()
    assert said.startswith("OpenCV is installed but broken: cv2 has no imdecode.")
    assert "pip install --force-reinstall --no-deps opencv-python" in said


def test_the_first_failure_is_remembered(pretend):
    pretend(ImportError("the true reason"), wheels=["opencv-python"])
    first = message()
    assert message() == first


WORKING = types.SimpleNamespace(imdecode=1, imencode=1, IMREAD_ANYDEPTH=2, __version__="5")
PAIR = ["opencv-python", "opencv-python-headless"]


def files_of_wheels(folder, *, loader, library):
    """Write cv2 of these sizes; give what two wheels say of theirs: 3 and 30, 4 and 40 bytes."""
    (folder / "cv2").mkdir()
    for name, size in (("__init__.py", loader), ("cv2.so", library)):
        if size is not None:
            (folder / "cv2" / name).write_bytes(bytes(size))

    def recorded(name, size):
        path = importlib.metadata.PackagePath(name)
        path.size, path.dist = size, types.SimpleNamespace(locate_file=folder.joinpath)
        return path

    names = ("cv2/__init__.py", "cv2/cv2.so")
    return {
        wheel: [
            *map(recorded, names, sizes),
            recorded("cv2/__pycache__/__init__.pyc", None),
            recorded("of_another_folder/RECORD", 7),
        ]
        for wheel, sizes in zip(PAIR, [(3, 30), (4, 40)], strict=True)
    }


@pytest.mark.parametrize(("loader", "library"), [(3, 30), (4, 40)])
def test_two_wheels_of_which_one_is_whole_give_no_error(pretend, tmp_path, loader, library):
    pretend(WORKING, PAIR, files_of_wheels(tmp_path, loader=loader, library=library))
    assert opencv.load_cv2() is WORKING
    assert list(opencv.installed_wheels()) == PAIR


@pytest.mark.parametrize(("loader", "library"), [(3, 40), (4, 30), (3, None), (None, 40)])
def test_two_wheels_of_which_none_is_whole_stop_with_the_cure(pretend, tmp_path, loader, library):
    pretend(WORKING, PAIR, files_of_wheels(tmp_path, loader=loader, library=library))
    assert message() == (
        "OpenCV is installed but broken: its files come from several wheels. opencv-python and "
        "opencv-python-headless are installed side by side and overwrite each other. Keep one: "
        "pip uninstall --yes opencv-python opencv-python-headless, then "
        'pip install "cxr-enhance[headless]"'
    )


def test_wheels_that_list_no_files_are_taken_as_whole(pretend):
    pretend(WORKING, wheels=["opencv-python", "opencv-contrib-python"])
    assert opencv.load_cv2() is WORKING


@pytest.mark.opencv
def test_the_installed_wheel_is_whole():
    pytest.importorskip("cv2")
    assert all(map(opencv._is_whole, opencv.installed_wheels()))


def test_a_user_without_opencv_sees_the_sentence(tmp_path):
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file')"
    )
    code = """
        import sys
        import cxr_enhance
        try:
            cxr_enhance.read_image(bytes.fromhex(sys.argv[1]))
        except ImportError as error:
            print(error)
    """
    done = run_code(code, png(drawn(4, 4), 0).hex(), path=[tmp_path])
    assert done.stdout.startswith("OpenCV is installed but cannot be loaded: libGL.so.1")
    assert done.stderr == ""


@pytest.mark.opencv
def test_the_installed_opencv_loads():
    cv2 = pytest.importorskip("cv2")
    assert opencv.load_cv2() is cv2
