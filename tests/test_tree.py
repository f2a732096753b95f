"""The tests lie as the code lies: whoever reads a module finds its tests by its path.

`tests/<package>/<path>/test_<name>.py` is about the module or folder `<name>` or `_<name>` in
`<package>/<path>/`; `test_package.py` is about the folder itself, its `__init__.py`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

TESTS = Path(__file__).parent
PACKAGES = {  # where each is installed, which need not be beside the tests
    name: Path(importlib.util.find_spec(name).origin).parent
    for name in ("cxr_enhance", "cxr_models", "benchmarks")
}

# Files about no one module, with what they are about instead.
EXCEPTIONS = {
    "cxr_enhance/test_opencv_parity.py": "every operation, compared with OpenCV and NumPy",
    "cxr_enhance/test_properties.py": "every operation, with drawn images and options",
    "cxr_enhance/_kernels/test_blend.py": "blend_loads.py and blend_registers.py, with equal bytes",
    "cxr_enhance/adapters/test_documentation.py": "docs/adapters.md, whose code blocks run",
    "cxr_enhance/adapters/_keras/test_exporter_on_other_backends.py": (
        "exporter.py where Keras runs on jax or torch, each in a process of its own"
    ),
    "cxr_enhance/archive/test_faults.py": "whole runs that are killed, starved or given bad files",
    "cxr_enhance/archive/samples/test_faults.py": "whole runs into samples, killed and starved",
    "cxr_enhance/io/test_fuzz.py": "everything that reads files, given mutated ones",
    "cxr_models/cli/test_public_sets.py": "the commands from index to report, on drawn trees",
    "cxr_models/cli/test_wrong_usage.py": "every command, given what it must refuse at once",
    "cxr_models/library/test_documentation.py": "docs/python.md, whose code runs",
    "cxr_models/library/test_several_findings.py": "the functions, given runs and splits of these",
    "cxr_models/records/layouts/test_against_torchxrayvision.py": (
        "the findings of layouts/sets/, compared with another project's label matrices"
    ),
    "cxr_models/report/test_in_chromium.py": "the page as a browser shows it",
    "cxr_models/training/test_data_parallel.py": "train.py on two devices",
    "cxr_models/training/test_jax_backend.py": "train.py where Keras runs on jax",
    "cxr_models/training/test_several_findings.py": "train.py with the task multilabel",
}


def without_a_subject(files, packages):
    """List the test files, given from `tests/`, that name no module or folder of the code."""
    lacking = []
    for file in map(Path, files):
        name = file.stem.removeprefix("test_")
        folder = packages[file.parts[0]].joinpath(*file.parts[1:-1])
        subjects = [folder / f"{prefix}{name}" for prefix in ("", "_")]
        if name == "package":
            found = (folder / "__init__.py").is_file()
        else:
            found = any(path.is_dir() or path.with_suffix(".py").is_file() for path in subjects)
        if not found:
            lacking.append(file.as_posix())
    return lacking


def test_each_test_file_is_about_the_module_or_folder_of_its_path():
    files = [
        path.relative_to(TESTS).as_posix()
        for package in PACKAGES
        for path in (TESTS / package).rglob("test_*.py")
    ]
    assert sorted(without_a_subject(files, PACKAGES)) == sorted(EXCEPTIONS)


def test_a_test_file_beside_its_subject_or_of_another_name_is_noticed(tmp_path):
    for name in ("__init__.py", "_clahe.py", "io/read.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    right = [
        "package/test_package.py",
        "package/test_clahe.py",
        "package/test_io.py",
        "package/io/test_read.py",
    ]
    wrong = ["package/test_read.py", "package/io/test_clahe.py", "package/io/test_package.py"]
    assert without_a_subject([*right, *wrong], {"package": tmp_path}) == wrong
