"""Skips: allowed for what is not installed, failures where `--installed` says that it is."""

import pytest

from tests.helpers.fresh_process import run_module

FILES = {
    "test_file.py": """
        import pytest
        pytest.importorskip("nowhere", reason="nowhere is not installed")
        """,
    "test_tests.py": """
        import pytest
        @pytest.fixture
        def needed():
            pytest.skip("needs pip install nowhere")
        def test_in_a_fixture(needed): pass
        def test_itself(): pytest.skip("needs nowhere")
        @pytest.mark.skip(reason="needs nowhere_else")
        def test_of_another_package(): pass
        """,
}


@pytest.mark.parametrize(
    ("options", "status", "summary"),
    [
        (["--installed", "torch,jax"], 0, "4 skipped"),
        (["--installed", "torch,nowhere", "-n", "2"], 1, "1 failed, 1 skipped, 2 errors"),
    ],
    ids=["others named", "named"],
)
def test_skips_for_want_of_what_is_installed_fail(tmp_path, options, status, summary):
    for name, code in FILES.items():
        (tmp_path / name).write_text("\n".join(line[8:] for line in code.splitlines()))
    words = ["-p", "tests.conftest", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = run_module("pytest", *words, *options, tmp_path, cwd=tmp_path, status=status)
    assert summary in done.stdout.splitlines()[-1]
