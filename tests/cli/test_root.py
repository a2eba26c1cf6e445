import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.cli.commands import NAMES, LazyGroup
from tests.helpers.forked import Forked

SOURCE = str(Path(basam.__file__).parents[1])


def python(*arguments, **environment):
    env = {**os.environ, "PYTHONPATH": SOURCE, **environment}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env, timeout=120)


def test_help_imports_nothing_heavy():
    """What makes `basam --help` and the help of every command answer at once."""
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from typer.main import get_command\n"
        "from basam.cli import app\n"
        "for words in ([], *([name] for name in get_command(app).commands)):\n"
        "    result = CliRunner().invoke(app, [*words, '--help'])\n"
        "    assert result.exit_code == 0, result.output\n"
        "    print('HELP', *words)\n"
        "print('HEAVY', sorted({'torch', 'transformers', 'numpy', 'PIL', 'matplotlib', 'scipy', 'cv2'} & set(sys.modules)))\n"
    )
    result = python("-c", program)
    assert {"HELP segment", "HELP benchmark"} < set(result.stdout.splitlines())
    assert "HEAVY []" in result.stdout


def test_help_and_a_command_import_the_modules_that_they_need():
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from basam.cli import app\n"
        "from basam.cli.commands import NAMES\n"
        "for words in (['--help'], ['--version'], ['merge', '--help'], ['segment', '-h']):\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0\n"
        "    print(*sorted(name for name in NAMES if f'basam.cli.{name}' in sys.modules), sep=',')\n"
        "print('basam.lab.evaluation.settings' in sys.modules)\n"
    )
    result = python("-c", program)
    assert result.stdout.split("\n")[:5] == ["", "", "merge", "merge,segment", "False"], result.stderr


def test_all_commands_have_a_line_and_options():
    commands = get_command(app).commands
    assert list(commands) == list(NAMES)
    for name, command in commands.items():
        loaded = command.load()
        assert (loaded.name, loaded.help.split("\n\n")[0]) == (name, command.help)
        assert loaded.params


@pytest.mark.parametrize("words", [["--help"], ["--nonsense"], ["sgment"], ["segment"], ["merge", "--help"]])
@pytest.mark.parametrize("columns", ["60", "200"])
def test_commands_that_wait_look_like_loaded_ones(monkeypatch, words, columns):
    """The help, and what is said of wrong words."""

    def output():
        result = CliRunner().invoke(app, words, env={"COLUMNS": columns})
        return result.exit_code, result.output

    def loaded(group, **settings):
        made(group, **settings)
        group.commands = {name: command.load() for name, command in group.commands.items()}

    found, made = output(), LazyGroup.__init__
    monkeypatch.setattr(LazyGroup, "__init__", loaded)
    assert found == output()


def test_help_has_a_short_name_for_every_command():
    for words in ([], ["segment"], ["tune"]):
        result = CliRunner().invoke(app, [*words, "-h"])
        assert result.exit_code == 0, result.output
        assert result.output == CliRunner().invoke(app, [*words, "--help"]).output


def test_shells_complete_commands_and_options():
    """What the script that `--install-completion` puts into a shell asks for."""
    assert "--install-completion" in CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    for words, count, found in (("basam seg", "1", "segment"), ("basam segment --prompts", "2", "--prompts-from")):
        result = python("-m", "basam", _BASAM_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
        assert found in result.stdout.split(), (result.stdout, result.stderr)


def test_version_and_module():
    result = python("-m", "basam", "--version")
    assert result.stdout == f"basam {basam.__version__}\n"


def test_torchvision_is_never_imported(tmp_path):
    program = (
        "import sys, basam\n"
        "basam.load('nano'); basam.Predictor; basam.BiasMode; basam.attach\n"
        "print('BANNED', sorted({'torchvision', 'timm'} & set(sys.modules)))\n"
    )
    process = Forked("-c", [program], tmp_path / "output.txt")
    assert process.end() == 0, process.text
    assert "BANNED []" in process.text


def test_public_names():
    assert set(basam.__all__) <= set(dir(basam))
    for name in basam.__all__:
        assert getattr(basam, name).__doc__, name
    assert callable(basam.attach)
    assert callable(basam.load)


def test_info_of_nano_and_of_nothing():
    result = CliRunner().invoke(app, ["info", "nano"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for fact in ("transformers SamModel", "256", "[1, 3, 5, 7]", "4 of 8 layers", "1.000 at 512 px", "decoder=none"):
        assert fact in result.output
    result = CliRunner().invoke(app, ["info", "no-such-model"])
    assert result.exit_code == 2
    assert "neither an embedded model ('nano')" in " ".join(result.output.split())
