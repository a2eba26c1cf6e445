"""The layout keeps its promises: arrows point down, folders are entered by their public names, class names are unique."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import basam
from basam import errors as basam_errors

PACKAGE = Path(basam.__file__).parent
ROOT = PACKAGE.parents[1]
# What may be imported by what comes after it, floor by floor. Two of one floor do not import each other.
FLOORS = (
    {"exports", "errors", "help", "printing"},
    {"checks"},
    {"arrays"},
    {"method", "files"},
    {"positions", "masks"},
    {"attention"},
    {"families"},
    {"model"},
    {"predict"},
    {"geo"},
    {"batch"},
    {"lab", "web"},
    {"cli"},
    {"__main__"},
)
# The same within the lab.
LAB_FLOORS = (
    {"worker_processes", "rendering"},
    {"data"},
    {"metrics", "scenes"},
    {"evaluation"},
    {"calibration", "benchmarking"},
    {"tuning"},
)
# Folders whose classes are named as upstream names them.
MODEL_CODE = {"transformers_sam", "meta_sam", "mobile_sam", "efficient_sam", "sam2", "sam3_tracker"}
FACES = sorted(".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("__init__.pyi"))


def name_of(path: Path, root: Path = PACKAGE.parent) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of every `from basam... import name` of a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "basam":
            yield from ((str(node.module), alias.name) for alias in node.names)


def folder_of(module: str) -> str:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return module if path.is_dir() else module.rpartition(".")[0]


def is_inside(module: str, folder: str) -> bool:
    return f"{module}.".startswith(f"{folder}.")


def floor_of(parts: list[str], floors: tuple[set[str], ...]) -> int:
    return next(floor for floor, names in enumerate(floors) if parts[0] in names)


MODULES = sorted(PACKAGE.rglob("*.py"))


def points_up(me: list[str], target: list[str]) -> bool:
    """Whether an import leads to the same floor or one above; both are parts of a name below `basam`."""
    if me[0] != target[0]:
        return floor_of(target, FLOORS) >= floor_of(me, FLOORS)
    if me[0] == "lab" and len(me) > 1 and len(target) > 1 and me[1] != target[1]:
        return floor_of(target[1:], LAB_FLOORS) >= floor_of(me[1:], LAB_FLOORS)
    return False


def test_arrows_point_down() -> None:
    upwards = []
    for path in MODULES:
        me = name_of(path)
        for module, name in imports(path):
            face = module in ("basam", "basam.lab") and name != "__version__"
            target = f"{module}.{name}" if face and (PACKAGE.parent.joinpath(*module.split("."), name)).exists() else module
            if "basam" not in (me, target) and points_up(me.split(".")[1:], target.split(".")[1:]):
                upwards.append(f"{me} imports {target}")
    assert not upwards


def importing_nodes(tree: ast.AST, functions: bool = True) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports at run time, so none under `if TYPE_CHECKING`; those inside functions only where `functions` is set."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not functions:
            continue
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield from importing_nodes(node, functions)


def exported_from(folder: str) -> dict[str, str]:
    """The module that holds each public name of a folder."""
    stub = PACKAGE.parent.joinpath(*folder.split("."), "__init__.pyi")
    nodes = ast.parse(stub.read_text()).body if stub.is_file() else []
    named = {alias.name: str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return {name: f"{home}.{name}" if home == folder else home for name, home in named.items()}


def imported_modules(path: Path) -> set[str]:
    """Modules of the package that a file imports; a public name of a folder counts as the module that holds it."""
    found = set()
    for node in importing_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            homes = exported_from(node.module)
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                found.add(inside if inside in NAMES else homes.get(alias.name, node.module))
    return found & NAMES - {name_of(path)}


NAMES = {name_of(path) for path in MODULES}


def test_no_circle() -> None:
    """Of no two modules, nor of more, imports inside functions included."""
    graph = {name_of(path): imported_modules(path) for path in MODULES}

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen

    reach = {name: reached(name) for name in graph}
    circles = {frozenset(other for other in reach[name] if name in reach[other]) for name in graph if name in reach[name]}
    assert [sorted(circle) for circle in circles] == []


# What `pip install basam` brings, safetensors by transformers; and modules that are imported only where their extra is there.
BASE = {"torch", "transformers", "safetensors", "numpy", "PIL", "typer", "rich", "basam"}
OPTIONAL = {
    "basam.attention.triton_": "triton",
    "basam.web.server": "starlette",
    "basam.web.responses": "starlette",
    "basam.web.session": "filelock",
}


def test_the_core_needs_no_extra() -> None:
    """No module outside the lab imports a library of an extra while it is itself imported."""
    extra = []
    for path in MODULES:
        me = name_of(path)
        for node in importing_nodes(ast.parse(path.read_text()), functions=False):
            for module in [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]:
                library = module.partition(".")[0]
                needed = library not in sys.stdlib_module_names | BASE and not me.startswith("basam.lab")
                if needed and not any(me.startswith(start) and library == of for start, of in OPTIONAL.items()):
                    extra.append(f"{me} imports {module}")
    assert extra == []


@pytest.mark.parametrize("place", ["src", "studies", "benchmarks"])
def test_a_folder_is_entered_by_what_it_exports(place: str) -> None:
    past = []
    for path in sorted((ROOT / place).rglob("*.py")):
        me = name_of(path, ROOT / place if place == "src" else ROOT)
        for module, name in imports(path):
            folder = folder_of(module)
            if folder == "basam" or is_inside(me, folder):
                continue
            if module != folder or name not in vars(importlib.import_module(folder)).get("__all__", ()):
                past.append(f"{me} imports {module}.{name}")
    assert not past


def test_tests_import_public_names_or_what_they_mirror() -> None:
    past = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        mirrored = ".".join(("basam", *path.relative_to(ROOT / "tests").parts[:-1]))
        for module, name in imports(path):
            folder = folder_of(module)
            if folder == "basam" or module == folder or is_inside(mirrored, folder) or is_inside(folder, mirrored):
                continue
            past.append(f"{path.relative_to(ROOT)} imports {module}.{name}")
    assert not past


@pytest.mark.parametrize("face", FACES)
def test_every_exported_name_is_there(face: str) -> None:
    module = importlib.import_module(face)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
        # A submodule of the same name would take the place of what is exported, once it is imported.
        home = PACKAGE.parent.joinpath(*face.split("."), name)
        assert home.with_suffix(".py").is_file() == (type(getattr(module, name)) is type(sys)), name
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match=f"module '{face}' has no attribute 'nonsense'"):
        _ = module.nonsense


def test_every_folder_says_what_lives_there() -> None:
    for folder in {path.parent for path in MODULES}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


def test_a_class_name_is_used_once() -> None:
    """Outside the model code of families."""
    homes = defaultdict(list)
    for path in MODULES:
        if path.parent.name in MODEL_CODE and path.name != "__init__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name_of(path))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_no_file_is_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_help_does_not_wait_for_torch() -> None:
    """Of no command, nor for any other library that takes long to import."""
    code = (
        "import sys, typer; from typer.testing import CliRunner; from basam.cli import app\n"
        "for words in ([], *([name] for name in typer.main.get_command(app).commands)):\n"
        "    assert CliRunner().invoke(app, [*words, '--help']).exit_code == 0, words\n"
        "    slow = {'torch', 'transformers', 'numpy', 'PIL', 'cv2', 'scipy', 'matplotlib', 'ray', 'accelerate', 'starlette'}\n"
        "    assert not slow & set(sys.modules), (words, slow & set(sys.modules))\n"
        "assert len(typer.main.get_command(app).commands) > 10"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("face", FACES)
def test_exported_errors_are_basams(face: str) -> None:
    module = importlib.import_module(face)
    exported = [getattr(module, name) for name in module.__all__]
    errors = [each for each in exported if isinstance(each, type) and issubclass(each, BaseException)]
    assert [each.__name__ for each in errors if not issubclass(each, basam.BasamError)] == []


def test_errors_may_be_caught_as_pythons() -> None:
    own = [each for each in vars(basam_errors).values() if isinstance(each, type) and issubclass(each, basam.BasamError)]
    assert len(own) > 10
    for error in set(own) - {basam.BasamError}:
        assert any(each.__module__ == "builtins" for each in error.__mro__ if each not in (Exception, BaseException, object)), (
            error
        )


def test_names_of_our_own_data_are_not_in_the_package() -> None:
    for path in MODULES:
        text = path.read_text()
        assert not any(word in text for word in ("standin-", "person_", "leaf_", "../shared")), path
