"""Flat names are hashes: distinct, the same whatever the order, and nothing of the input's name."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from pathlib import Path

import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.cli import main
from tests.cxr_enhance.archive.conftest import KEY, STRIP, contents, rows_of
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv


@pytest.mark.parametrize("keyed", [False, True])
def test_flat_names_are_hashes_that_the_manifest_maps(run, scans, key, tmp_path, keyed, capfd):
    words = [*STRIP, "--flat-names", *(["--pseudonym-key", key] if keyed else [])]
    out = tmp_path / "out"
    status, report, err = run(scans, "--out", out, *words)
    assert (status, err) == (0, "")
    expected = {}
    for relative in ("DOE_JANE/1.dcm", "DOE_JANE/2.dcm", "ROE/1.dcm"):
        text = relative.encode()
        digest = hmac.new(KEY, text, "sha256") if keyed else hashlib.sha256(text)
        name = digest.hexdigest()[:32]
        expected[str(scans / relative)] = str(out / name[:2] / f"{name}.dcm")
    assert {row["input"]: row["output"] for row in rows_of(out)} == expected
    for source, target in expected.items():
        assert_same_image(cxe.read_image(target), cxe.enhance(cxe.read_image(source)))
    report = run(scans, "--out", out, *words)[1]
    assert (report["written"], report["exists"]) == (0, 3)
    main(["run", str(scans), "--out", str(out), *map(str, words)])
    assert (
        f"{out / 'manifest.jsonl'} tells which output is of which input" in capfd.readouterr().out
    )


def test_nothing_of_a_name_is_left_in_flat_stripped_outputs(run, scans, tmp_path):
    run(scans, "--out", tmp_path / "out", "--flat-names", *STRIP)
    for name, content in contents(tmp_path / "out").items():
        assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{32}\.dcm", name.replace(os.sep, "/"))
        assert not any(word in content.lower() for word in (b"doe^", b"jane", b"secret"))


def test_equal_relative_names_of_two_folders_get_distinct_hashes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/x.png", "b/x.png", "c/a/x.png", "d/x.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    inputs = ["a", "b", "c/a", "d"]
    plan = plan_files(inputs, "out", ".png", flat_names=True)
    names = {item.source: item.target for item in plan.files}
    assert len(set(names.values())) == 4
    turned = plan_files(inputs[::-1], "out", ".png", flat_names=True)
    assert {item.source: item.target for item in turned.files} == names
