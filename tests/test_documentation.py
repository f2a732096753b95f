"""The pages agree with the code: commands exist, sentences are said, names are documented."""

from __future__ import annotations

import ast
import importlib.util
import re

import pytest

import cxr_enhance
import cxr_enhance.io
import cxr_models
from tests.helpers.fresh_process import ROOT, run_code
from tests.helpers.pages import DOCS, PAGES, blocks_of, commands_of

# --- commands ----------------------------------------------------------------------------------


def command_named(words):
    """Give the command that the words begin with, and the words after its name."""
    typer_main = pytest.importorskip("typer.main", reason='needs pip install ".[cli]"')
    package = words[0].replace("-", "_")
    app = importlib.import_module(f"{package}.cli._app").app
    command, rest = typer_main.get_command(app), words[1:]
    while getattr(command, "commands", None):
        assert rest, f"{' '.join(words)} names no command"
        assert rest[0] in command.commands, f"{' '.join(words)}: no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def unknown_options(words):
    """List the options of a command that it does not have."""
    command, rest = command_named(words)
    known = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    used = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    return [word for word in used if word not in known | {"--help"}]


def our_words_of(text):
    """List the words of each command of ours, the program first."""
    return [[command.program, *command.words] for command in commands_of(text) if command.is_ours]


COMMANDS = [
    pytest.param(words, id=f"{page}-{' '.join(words[:3])}-{number}")
    for page, text in PAGES.items()
    for number, words in enumerate(our_words_of(text), 1)
]


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_of_the_pages_exist_with_their_options(words):
    assert unknown_options(words) == []


def inline_words_of(text):
    """List the words of each command of ours that stands within a sentence."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`((?:cxr-enhance|cxr-models) [^`]+)`", prose)
    return [span.split() for span in spans]


@pytest.mark.parametrize("page", PAGES)
def test_commands_within_sentences_exist_with_their_options(page):
    wrong = [words for words in inline_words_of(PAGES[page]) if unknown_options(words)]
    assert wrong == []


def test_commands_that_do_not_exist_would_be_found():
    assert len(COMMANDS) >= 40
    assert unknown_options(["cxr-enhance", "run", "x", "--brighter"]) == ["--brighter"]
    with pytest.raises(AssertionError, match="no command enhance"):
        command_named(["cxr-enhance", "enhance"])


# --- code --------------------------------------------------------------------------------------

CODE = [
    pytest.param(needs.removeprefix(" needs=").split(","), code, id=f"{page}-{number}")
    for page, text in PAGES.items()
    if page.startswith("docs/tutorials/")
    for number, (needs, code) in enumerate(blocks_of(text, "python"), 1)
]


@pytest.mark.parametrize(("needs", "code"), CODE)
def test_code_of_the_tutorials_runs(needs, code, tmp_path):
    assert needs != [""], "every block says what it needs"
    for package in needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    run_code(code, cwd=tmp_path)


# --- sentences ---------------------------------------------------------------------------------


def sentences_of(package):
    """Join each text of the code, what differs being an ellipsis."""
    found = []
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def is_said(sentence, texts):
    """Tell whether a text of the code may read like `sentence`."""
    pattern = ".*".join(map(re.escape, re.split("…+", sentence.strip().rstrip("."))))
    return any(re.search(pattern, text, re.DOTALL) for text in texts)


def test_errors_that_the_page_of_questions_explains_are_raised():
    texts = sentences_of("cxr_enhance") + sentences_of("cxr_models")
    explained = [block for _, block in blocks_of(PAGES["docs/faq.md"], "text")]
    assert len(explained) >= 10
    assert [sentence for sentence in explained if not is_said(sentence, texts)] == []
    assert not is_said("`image` must be nice; got ….", texts)


# --- names -------------------------------------------------------------------------------------

DOCUMENTED = re.findall(
    r"^\.\. auto(?:function|class):: (\S+)$",
    "\n".join(text for page, text in PAGES.items() if page.startswith("docs/reference/")),
    re.MULTILINE,
)


@pytest.mark.parametrize("package", [cxr_enhance, cxr_enhance.io, cxr_models])
def test_every_public_name_is_in_the_reference(package):
    names = {name for name in package.__all__ if not name.startswith("__")}
    listed = {name.rpartition(".")[2] for name in DOCUMENTED}
    assert sorted(names - listed) == []


def test_every_class_and_function_of_the_adapters_is_in_the_reference():
    for path in (ROOT / "cxr_enhance" / "adapters").glob("[a-z]*_*.py"):
        if path.name == "exit_guard.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kinds = ast.FunctionDef | ast.ClassDef
        names = [node.name for node in tree.body if isinstance(node, kinds) and node.name[0] != "_"]
        listed = [f"cxr_enhance.adapters.{path.stem}.{name}" for name in names]
        assert names
        assert sorted(set(listed) - set(DOCUMENTED)) == []


def test_tests_that_the_page_on_dicom_names_exist():
    defined = set()
    for path in (ROOT / "tests" / "cxr_enhance" / "io").rglob("test_*.py"):
        defined.update(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
    named = set(re.findall(r"`(test_\w+)`", PAGES["docs/dicom-elsewhere.md"]))
    assert len(named) >= 12
    assert sorted(named - defined) == []


def test_the_navigation_names_every_page_once():
    (found,) = re.findall(r"^NAVIGATION = (\{.*?^\})", (DOCS / "conf.py").read_text(), re.M | re.S)
    listed = [name for names in ast.literal_eval(found).values() for name in names]
    made = {"generated/commands", "generated/settings", "generated/changelog"}
    pages = {
        page.removeprefix("docs/").removesuffix(".md") for page in PAGES if page != "README.md"
    }
    pages |= {f"notebooks/{path.stem}" for path in (DOCS / "notebooks").glob("*.ipynb")}
    inner = {page for page in pages if page.startswith("decisions/")} - {"decisions/README"}
    assert sorted(listed) == sorted((pages | made) - inner - {"index"})
