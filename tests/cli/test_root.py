import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

import basam
from basam.cli import app
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
    for fact in ("transformers SamModel", "256", "[1, 3, 5, 7]", "4 of 8 layers", "1.062 at 512 px", "0.006 at 512 px"):
        assert fact in result.output
    result = CliRunner().invoke(app, ["info", "no-such-model"])
    assert result.exit_code == 2
    assert "neither an embedded model ('nano')" in " ".join(result.output.split())
