"""The pages: every link leads somewhere, every command is one that the command line takes, every imported name exists."""

import argparse
import ast
import importlib
import pkgutil
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from basam.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")])
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
SHELL = ("bash", "console", "sh", "shell")


def text_of(page: Path) -> str:
    """Without the marks of quotations, so that a block in one is a block."""
    return re.sub(r"^> ?", "", page.read_text("utf-8"), flags=re.MULTILINE)


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(text_of(page)) if language in languages]


def lines_of_shell(page: Path) -> list[list[str]]:
    """The words of each line of the shell blocks; a line that ends in a backslash continues in the next."""
    lines = "\n".join(blocks(page, *SHELL)).replace("\\\n", " ").splitlines()
    return [shlex.split(line.strip().removeprefix("$ "), comments=True) for line in lines]


def words_in_text(page: Path) -> list[list[str]]:
    """The words of each piece of code in the text between blocks; that of the change log names what there was once."""
    if page.name == "CHANGELOG.md":
        return []
    return [found.split() for found in re.findall(r"`([^`]+)`", BLOCK.sub("", text_of(page)))]


def commands(lines: list[list[str]]) -> list[list[str]]:
    """Arguments of `basam`, be it called by itself, by a launcher of several processes, or after a pipe."""
    before = ("", "|", "-m", "--no-python", "--no_python", "srun")
    return [
        line[place + 1 :]
        for line in lines
        for place, word in enumerate(line)
        if Path(word).name == "basam" and ["", *line][place] in before
    ]


def programs(lines: list[list[str]]) -> list[list[str]]:
    """Programs of this repository, each with its arguments: `["-m", "studies.nano", ...]`, `["benchmarks/web.py", ...]`."""
    found = []
    for line in lines:
        for place, word in enumerate(line):
            if word == "-m" and line[place + 1 : place + 2] != ["basam"] and {"python", "torchrun"} & set(line[:place]):
                found.append(line[place:])
            if word.endswith(".py") and line[place - 1 : place] == ["python"]:
                found.append(line[place:])
    return found


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pages_with(found: Callable[[Path], object]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", [page for page in PAGES if found(page)], ids=name)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"`[^`]*`", "", BLOCK.sub("", page.read_text("utf-8"))))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pages_with(lambda page: commands(lines_of_shell(page)))
def test_commands_are_taken(page):
    known = get_command(app).commands
    for command, *arguments in commands(lines_of_shell(page)):
        if command != "--help":
            assert command in known, f"{name(page)}: basam has no command {command!r}"
            known[command].make_context(command, arguments).close()  # raises on an unknown option or a missing argument


@pages_with(lambda page: commands(lines_of_shell(page)))
def test_runs_of_a_page_have_folders_of_their_own(page):
    """A run folder refuses other settings, so that a page's second run would end in an error."""
    runs: dict[str, list[str]] = {}
    for arguments in commands(lines_of_shell(page)):
        if arguments[0] in ("evaluate", "tune", "benchmark") and "--out" in arguments:
            folder = arguments[arguments.index("--out") + 1]
            assert runs.setdefault(folder, arguments) == arguments, f"{name(page)}: {folder}"


@pages_with(lambda page: commands(words_in_text(page)))
def test_commands_in_the_text_have_these_options(page):
    """The text may name a part of a command only."""
    known = get_command(app).commands
    for command, *arguments in filter(None, commands(words_in_text(page))):
        if command in known:
            options = {option for each in known[command].load().params for option in (*each.opts, *each.secondary_opts)}
            assert {word for word in arguments if word.startswith("--")} <= options, f"{name(page)}: {command} {arguments}"


@pages_with(lambda page: blocks(page, ""))
def test_commands_stand_in_blocks_of_the_shell(page):
    """Where the tests above see them."""
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    assert [line for line in lines if re.match(r"\s*(\$|basam |python )", line)] == []


class Taken(BaseException):
    """A program has taken its arguments, and is to do nothing more."""


def start() -> None:
    """What `python` does with the words in `sys.argv`."""
    if sys.argv[0] == "-m":
        del sys.argv[0]
        sys.modules.pop(sys.argv[0], None)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")


@pytest.fixture
def parsing_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, *words):
        parse(parser, *words)
        raise Taken

    def run(function):
        alone = typer.Typer(add_completion=False)
        alone.command()(function)
        get_command(alone).make_context("program", sys.argv[1:]).close()
        raise Taken

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(typer, "run", run)
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    before = dict(sys.modules)
    yield
    sys.modules.update(before)
    for each in set(sys.modules) - set(before):
        if str(getattr(sys.modules[each], "__file__", None)).startswith(str(ROOT / "benchmarks")):
            del sys.modules[each]


@pages_with(lambda page: programs(lines_of_shell(page) + words_in_text(page)))
def test_programs_take_their_arguments(page, parsing_only, monkeypatch):
    for arguments in programs(lines_of_shell(page) + words_in_text(page)):
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(Taken):  # SystemExit otherwise
            start()


@pages_with(lambda page: blocks(page, "python"))
def test_python_imports_public_names(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "basam":
                module = importlib.import_module(node.module)
                public = {found.name for found in pkgutil.iter_modules(module.__path__) if found.ispkg} | set(module.__all__)
                assert [alias.name for alias in node.names if alias.name not in public] == [], f"{name(page)}: {node.module}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "basam":
                assert hasattr(importlib.import_module("basam"), node.attr), f"{name(page)}: basam.{node.attr}"
