"""The pages: every link leads somewhere, every command is one that the command line takes, every imported name exists."""

import ast
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from basam.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")])
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text("utf-8")) if language in languages]


def commands(page: Path, program: str) -> list[list[str]]:
    """The arguments of each call of `program` in the shell blocks; a line that ends in a backslash continues in the next."""
    lines = "\n".join(blocks(page, "bash", "console", "sh", "shell")).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.strip().removeprefix("$ "), comments=True) for line in lines]
    return [line[line.index(found) + 1 :] for line in words for found in line[:1] if Path(found).name == program]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"`[^`]*`", "", BLOCK.sub("", page.read_text("utf-8"))))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page, "basam")], ids=name)
def test_commands_are_taken(page):
    known = get_command(app).commands
    for command, *arguments in commands(page, "basam"):
        if command != "--help":
            assert command in known, f"{name(page)}: basam has no command {command!r}"
            known[command].make_context(command, arguments).close()  # raises on an unknown option or a missing argument


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page, "python")], ids=name)
def test_programs_exist(page):
    for arguments in commands(page, "python"):
        if arguments[:1] == ["-m"]:
            assert importlib.util.find_spec(arguments[1]), f"{name(page)}: {arguments[1]}"
        else:
            assert (ROOT / arguments[0]).exists(), f"{name(page)}: {arguments[0]}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name)
def test_python_imports_public_names(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "basam":
                module = importlib.import_module(node.module)
                public = {found.name for found in pkgutil.iter_modules(module.__path__) if found.ispkg} | set(module.__all__)
                assert [alias.name for alias in node.names if alias.name not in public] == [], f"{name(page)}: {node.module}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "basam":
                assert hasattr(importlib.import_module("basam"), node.attr), f"{name(page)}: basam.{node.attr}"
