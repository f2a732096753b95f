"""Mutated files: nothing hangs, nothing raises but what is documented."""

from __future__ import annotations

import ast
import os

import pytest

from tests.helpers.fresh_process import run_module
from tests.helpers.fuzz_seeds import seeds

SECONDS = int(os.environ.get("CXR_FUZZ_SECONDS", "60"))
COUNT = int(os.environ.get("CXR_MUTATED_FILES", "5000"))


@pytest.mark.slow
@pytest.mark.opencv
def test_a_minute_of_mutated_files_ends_in_sentences(tmp_path):
    pytest.importorskip("atheris")
    folder = tmp_path / "seeds"
    folder.mkdir()
    for number, data in enumerate(seeds()):
        (folder / f"{number}").write_bytes(data)
    run_module(
        "tests.helpers.fuzz_files",
        folder,
        *(f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=2048", "-len_control=0"),
        *(f"-artifact_prefix={tmp_path}/", "-close_fd_mask=3", "-print_final_stats=1"),
        env={"OPENCV_LOG_LEVEL": "SILENT"},
        timeout=SECONDS + 240,
    )


@pytest.mark.slow
@pytest.mark.opencv
def test_mutated_files_are_read_alike_or_refused(tmp_path):
    """Compressed DICOM pixels too, which a process of its own decodes: too slow for libFuzzer."""
    for encoder in ("pydicom", "jpeg_ls", "openjpeg", "rle"):
        pytest.importorskip(encoder)
    done = run_module(
        "tests.helpers.mutated_files",
        *(COUNT, 7),
        env={"OPENCV_LOG_LEVEL": "SILENT"},
        cwd=tmp_path,
        timeout=60 + COUNT // 20,
    )
    counts = ast.literal_eval(done.stdout)
    assert sum(counts.values()) == COUNT
    assert counts["read"] > COUNT // 10
