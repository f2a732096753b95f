"""What stands around the code agrees with it: workflows, citation, changelog, pages of decisions.

Each rule is a function from text to what breaks it, so that a test can spoil the text.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import cxr_enhance as cxe
from tests.helpers.fresh_process import run_module, run_program

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
DECISIONS = ROOT / "docs" / "decisions"
CHANGES = ROOT / "docs" / "changes"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def text_of(path):
    return path.read_text(encoding="utf-8")


# --- workflows ---------------------------------------------------------------------------------

PINNED = re.compile(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def unpinned(workflow):
    """List the `uses:` lines that are not a full hash followed by the version as a comment."""
    used = re.findall(r"^\s*(?:- +)?[\"']?uses[\"']? *:[ \t]*(.*?)\s*$", workflow, re.MULTILINE)
    return [line for line in used if not PINNED.fullmatch(line)]


def versions_by_hash(workflows):
    """Map each pinned action and hash to the versions that the comments beside it name."""
    found = {}
    for workflow in workflows:
        for action, version in re.findall(r"uses: (\S+@[0-9a-f]{40}) # (v\S+)", workflow):
            found.setdefault(action, set()).add(version)
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_hash_with_its_version_beside_it(path):
    assert "uses:" in text_of(path)
    assert unpinned(text_of(path)) == []


def test_an_action_has_one_hash_and_a_hash_one_version():
    found = versions_by_hash(map(text_of, WORKFLOWS))
    assert [action for action, versions in found.items() if len(versions) > 1] == []
    names = [action.partition("@")[0] for action in found]
    assert len(names) == len(set(names)) >= 3


@pytest.mark.parametrize(
    "reference",
    [
        "actions/checkout@v4",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83d # v6.0.2",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6",
        "docker://python:3.11",
        "./.github/actions/ours",
    ],
)
def test_other_references_would_be_found(reference):
    steps = f"steps:\n  - uses: {reference}\n  - name: x\n    uses: {reference}\n"
    assert unpinned(steps) == [reference] * 2


def loaded(path):
    yaml = pytest.importorskip("yaml", reason="PyYAML, which dask brings, is not installed")
    return yaml.safe_load(text_of(path))


@pytest.mark.parametrize(
    "path",
    [*sorted(GITHUB.rglob("*.yml")), ROOT / "CITATION.cff"],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_files_in_yaml_are_mappings(path):
    assert isinstance(loaded(path), dict)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_read_and_jobs_say_how_long_they_may_take(path):
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job] == []


def test_only_the_job_that_publishes_can_prove_who_it_is_and_it_waits_for_the_tests():
    jobs = loaded(GITHUB / "workflows" / "release.yml")["jobs"]
    asking = [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})]
    assert asking == ["publish"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "pypi"
    assert (jobs["publish"]["needs"], jobs["test"]["needs"]) == ("test", "build")


def test_ci_and_release_test_the_pythons_that_the_package_names():
    classifiers = PROJECT["project"]["classifiers"]
    named = [c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)]
    assert named
    for name, job in (("ci.yml", "everything"), ("release.yml", "test")):
        matrix = loaded(GITHUB / "workflows" / name)["jobs"][job]["strategy"]["matrix"]
        assert matrix["python"] == named, name


def requirements_of(extra):
    """List what an extra brings, those of its extras included."""
    for requirement in PROJECT["project"]["optional-dependencies"][extra]:
        if requirement.startswith("cxr-enhance["):
            for inner in requirement.partition("[")[2].rstrip("]").split(","):
                yield from requirements_of(inner)
        else:
            yield requirement


def test_each_extra_brings_one_opencv_and_headless_that_of_albumentations():
    extras = PROJECT["project"]["optional-dependencies"]
    brings = {
        extra: {r.partition(">")[0] for r in requirements_of(extra) if r.startswith("opencv-")}
        for extra in extras
    }
    assert brings["cli"] == brings["models"] == brings["test"] == {"opencv-python"}
    assert brings["headless"] == {"opencv-python-headless"}
    assert max(map(len, brings.values())) == 1


def test_a_decoder_without_a_wheel_for_the_newest_python_is_left_out_there():
    (asked,) = [r for r in requirements_of("cli") if r.startswith("pyjpegls")]
    assert asked.endswith("; python_version < '3.14'")
    assert any(r.startswith("python-gdcm") for r in requirements_of("cli"))


def test_forms_for_issues_ask_for_the_doctor_and_warn_of_patients_data():
    forms = sorted((GITHUB / "ISSUE_TEMPLATE").glob("[0-9]-*.yml"))
    assert len(forms) == 4
    for form in forms:
        assert re.search(r"never attach images", text_of(form), re.IGNORECASE), form.name
    assert [form.name for form in forms if "cxr-enhance doctor" not in text_of(form)] == [
        "4-feature.yml"
    ]


# --- a release ---------------------------------------------------------------------------------


def release_script():
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHANGELOG = """# Changelog

<!-- towncrier release notes start -->

## 1.2.3 - 2030-01-31

### Added

- This.

## 1.2 - 2029-12-31

### Fixed

- That.
"""


@pytest.fixture
def releasable(tmp_path):
    """Make a repository of which v1.2.3 can be released."""
    for name, text in {
        "cxr_enhance/_version.py": '"""Version."""\n\n__version__ = "1.2.3"\n',
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.3\n",
        "CHANGELOG.md": CHANGELOG,
        "docs/changes/README.md": "",
        "docs/changes/template.md.jinja": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_repository_whose_parts_agree_is_releasable(releasable):
    assert release_script().problems(releasable, "v1.2.3") == []


@pytest.mark.parametrize(
    ("tag", "name", "text", "sentence"),
    [
        ("v1.2.4", None, "", "The tag must be v1.2.3, the version of the package; got v1.2.4."),
        ("1.2.3", None, "", "The tag must be v1.2.3"),
        ("v1.2.3", "CITATION.cff", "version: 1.2.2", "must have the version 1.2.3; got 1.2.2."),
        ("v1.2.3", "CHANGELOG.md", "## 1.2 - 2029-12-31\n", "YYYY-MM-DD'; got none."),
        ("v1.2.3", "CHANGELOG.md", "## 1.2.3 - unreleased\n", "got '1.2.3 - unreleased'."),
        (
            "v1.2.3",
            "CHANGELOG.md",
            "## 1.2.3 - 2030-01-31\n## 1.2.3 - unreleased\n",
            "must have one section",
        ),
        ("v1.2.3", "docs/changes/a.added.md", "A.", "must hold no fragments; got a.added.md."),
    ],
)
def test_what_disagrees_keeps_a_tag_from_being_released(releasable, tag, name, text, sentence):
    if name is not None:
        (releasable / name).write_text(text, encoding="utf-8")
    (problem,) = release_script().problems(releasable, tag)
    assert sentence in problem


def test_notes_are_the_section_of_the_tag_and_no_other(releasable):
    assert release_script().notes(releasable, "v1.2.3") == "### Added\n\n- This.\n"
    assert release_script().notes(releasable, "v1.2") == "### Fixed\n\n- That.\n"


def test_the_script_prints_notes_and_ends_with_1_for_another_tag_and_2_for_wrong_usage(releasable):
    script = releasable / ".ci" / "release.py"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci" / "release.py", script)

    def run(*words):
        done = run_program(sys.executable, script, *words, status=None)
        return done.returncode, done.stdout, done.stderr

    assert run("check", "v1.2.3") == (0, "", "")
    assert run("notes", "v1.2.3") == (0, "### Added\n\n- This.\n", "")
    sentence = "The tag must be v1.2.3, the version of the package; got v1.2.4.\n"
    assert run("check", "v1.2.4") == (1, "", sentence)
    assert run("check")[0] == run("publish", "v1.2.3")[0] == 2


def test_the_citation_is_of_this_version_and_license():
    citation = loaded(ROOT / "CITATION.cff")
    assert citation["version"] == cxe.__version__
    assert citation["license"] == PROJECT["project"]["license"]


# --- changelog ---------------------------------------------------------------------------------


def misnamed(names):
    """List the names that are not `<slug>.<kind>.md`."""
    kinds = "|".join(kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"])
    return [name for name in names if not re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", name)]


def test_fragments_are_named_by_slug_and_kind():
    others = {"README.md", "template.md.jinja"}
    assert misnamed(path.name for path in CHANGES.iterdir() if path.name not in others) == []
    wrong = ["a.improved.md", "A b.fixed.md", "a.fixed.txt", "fixed.md"]
    assert misnamed([*wrong, "a-b.fixed.md", "x.breaking.md"]) == wrong


def test_the_page_on_fragments_lists_every_kind():
    kinds = [kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"]]
    assert re.findall(r"^\| `(\w+)` \|", text_of(CHANGES / "README.md"), re.MULTILINE) == kinds


def test_the_changelog_has_one_place_for_new_sections_above_the_newest():
    text = text_of(ROOT / "CHANGELOG.md")
    start = PROJECT["tool"]["towncrier"]["start_string"]
    assert text.count(start) == 1
    assert re.match(r"\s*## \d+\.\d+\.\d+ - ", text.split(start)[1])
    assert "\n## " not in text.split(start)[0]


def test_fragments_become_a_section_of_the_changelog(tmp_path):
    pytest.importorskip("towncrier", reason="towncrier, of the extra dev, is not installed")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    changes = tmp_path / "docs" / "changes"
    changes.mkdir()
    shutil.copy(CHANGES / "template.md.jinja", changes)
    for name, text in {
        "b.fixed.md": "Images of one row\nare read.\n",
        "a.added.md": "More is read.\n",
        "c.breaking.md": "Bytes change.\n",
    }.items():
        (changes / name).write_text(text, encoding="utf-8")
    words = ["build", "--keep", "--version", "1.3.0", "--date", "2030-02-28"]
    run_module("towncrier", *words, cwd=tmp_path)
    section = (
        "## 1.3.0 - 2030-02-28\n\n### Breaking\n\n- Bytes change.\n\n"
        "### Added\n\n- More is read.\n\n### Fixed\n\n- Images of one row\n  are read.\n\n"
    )
    assert text_of(tmp_path / "CHANGELOG.md") == CHANGELOG.replace("## 1.2.3", section + "## 1.2.3")


# --- pages -------------------------------------------------------------------------------------


def listed_pages(index):
    """Give the pages that the rows of an index link to."""
    return re.findall(r"^\| \[[^\]]+\]\(([\w-]+\.md)\) \|", index, re.MULTILINE)


def test_each_decision_is_in_the_index_once_and_each_row_is_a_page():
    pages = sorted(path.name for path in DECISIONS.glob("*.md") if path.name != "README.md")
    assert len(pages) >= 5
    assert sorted(listed_pages(text_of(DECISIONS / "README.md"))) == pages


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("*.md")), ids=lambda path: path.name)
def test_links_between_pages_lead_to_files(path):
    links = re.findall(r"\]\(([^)#:]+)\)", text_of(path))
    assert [link for link in links if not (path.parent / link).is_file()] == []


def test_tests_that_pages_name_exist():
    defined = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        defined.update(re.findall(r"def (test_\w+)", text_of(path)))
    pages = [ROOT / "SECURITY.md", *DECISIONS.glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`(test_\w+)`", text_of(page))}
    assert len(named) >= 20
    assert sorted(named - defined) == []
    assert "test_that_nobody_wrote" not in defined


def test_contracts_that_pages_name_exist():
    contracts = {contract["name"] for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    named = set()
    for page in DECISIONS.glob("*.md"):
        text = " ".join(text_of(page).split())
        for quoted in re.findall(r"import contracts? ((?:\"[^\"]+\"(?: and )?)+)", text):
            named.update(re.findall(r"\"([^\"]+)\"", quoted))
    assert len(named) >= 2
    assert sorted(named - contracts) == []
