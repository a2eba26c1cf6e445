"""What is printed where: texts as they are, one line for an error that has a reason, a traceback for a bug."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

import basam
from basam.batch import EverythingSettings, SegmentSettings
from basam.cli import app, console, main
from basam.errors import InputError, naming_memory
from basam.lab.benchmarking import BenchmarkSettings
from basam.lab.data import Issue, Issues
from basam.lab.evaluation import EvaluateSettings
from basam.lab.tuning import Lora, TuneLoss, TuneSettings
from basam.predict.automatic import AutomaticSettings
from basam.web import WebSettings
from tests.helpers.small_run import write_pairs


def invoke(*words: object, **options: Any) -> Any:
    return CliRunner().invoke(app, list(map(str, words)), **options)


def fail(error: BaseException) -> None:
    with console.one_line_errors(), naming_memory(1024):
        raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("sizes 'big': [red]a number[/red] is needed"), "error: sizes 'big': [red]a number[/red] is needed"),
        (PermissionError(13, "Permission denied", "a [b].png"), "error: [Errno 13] Permission denied: 'a [b].png'"),
        (MemoryError(), "error: out of memory at a long side of 1024 px: one of 512 px needs a quarter of the memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "error: out of memory at a long side of 1024 px"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "error: out of memory"),
    ],
)
def test_a_reason_is_one_line(error, line, capsys):
    with pytest.raises(typer.Exit) as ended:
        fail(error)
    assert ended.value.exit_code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(line)
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("bug", [TypeError("NoneType"), KeyError("x"), RuntimeError("size mismatch"), ValueError("inside")])
def test_a_bug_is_no_line(bug):
    with pytest.raises(type(bug)):
        fail(bug)


def test_debugging_is_taken_anywhere_in_the_line(monkeypatch, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    words = ["segment", str(tmp_path / "photo.jpg"), "--model", "no-such-model", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["basam", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    for place in (0, 2, len(words)):
        monkeypatch.setattr(sys, "argv", ["basam", *words[:place], "--debug", *words[place:]])
        with pytest.raises(FileNotFoundError):
            main()


@pytest.mark.parametrize("how", ["--debug", "environment"])
def test_debugging_shows_the_traceback(how, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    words = ["segment", tmp_path / "photo.jpg", "--model", "no-such-model", "--out", tmp_path / "out"]
    assert isinstance(invoke(*words).exception, SystemExit)
    result = invoke("--debug", *words) if how == "--debug" else invoke(*words, env={"BASAM_DEBUG": "1"})
    assert isinstance(result.exception, FileNotFoundError)
    assert isinstance(result.exception, basam.BasamError)
    assert isinstance(invoke(*words, env={"BASAM_DEBUG": "0"}).exception, SystemExit)


def test_brackets_in_names_are_printed_as_they_are(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "holiday [red] [1].png")
    broken = tmp_path / "bad [bold].jpg"
    broken.write_bytes(b"no image")
    result = invoke("segment", tmp_path / "holiday [red] [1].png", broken, "--long-side", 64, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "bad [bold].jpg is not an image" in result.stderr
    assert "holiday [red]" in "".join(result.stdout.split("\n")).replace("  ", "")
    root = write_pairs(tmp_path / "data [red]", 1)
    words = ["evaluate", "folder", root, "--sizes", 64, "--methods", "plain", "--metrics", "iou", "--workers", 0]
    result = invoke(*words, "--out", tmp_path / "run [blue]")
    assert result.exit_code == 0, result.output
    assert f"{tmp_path}/run [blue]/report.html" in result.stdout
    assert "data [red]" in result.stdout


def option_defaults(command: str) -> dict[str, Any]:
    found = typer.main.get_command(app).commands[command].load()  # type: ignore[attr-defined]
    # Where other options matter, too, the default is None, and the help has its value without them.
    return {each.name: each.show_default if each.default is None else each.default for each in found.params}


@pytest.mark.parametrize(
    ("command", "settings", "other_names"),
    [
        ("evaluate", EvaluateSettings, {}),
        ("benchmark", BenchmarkSettings, {}),
        ("tune", TuneSettings, {}),
        ("segment", SegmentSettings, {"mode_file": "mode", "kinds": "write", "uncorrected": "plain"}),
        ("everything", EverythingSettings, {"mode_file": "mode", "kinds": "write", "uncorrected": "plain"}),
        ("everything", AutomaticSettings, {}),
        ("web", WebSettings, {}),
    ],
)
def test_the_command_line_has_the_defaults_of_the_settings(command, settings, other_names):
    options = option_defaults(command)
    compared = 0
    for field in dataclasses.fields(settings):
        name = other_names.get(field.name, field.name)
        if field.default is dataclasses.MISSING or name not in options:
            continue
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(map(str, default)) or None
        shown = {"4G": 4 << 30, "256M": 256 << 20}.get(options[name], options[name])
        # Words in the help, or nothing, stand for None.
        assert isinstance(shown, (str, bool)) if default is None else str(shown) == str(default), name
        compared += 1
    assert compared >= 7
    if command == "tune":
        assert (options["rank"], options["boundary"]) == (Lora.rank, TuneLoss.boundary)


def test_the_demo_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skimage")
    from basam.cli.demo import main

    main(["--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "photo    astronaut (scikit-image), 512 x 512 px" in printed
    with Image.open(tmp_path / "astronaut_mask.png") as mask:
        assert mask.size == (512, 512)
        assert mask.getextrema() == (0, 255)
        found = np.asarray(mask) > 0
    box = np.zeros_like(found)
    box[15:190, 150:300] = True
    assert found[box].mean() > 0.5
    assert found[~box].mean() < 0.01
    assert (tmp_path / "astronaut_overlay.png").is_file()


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_words_and_figures_of_a_table_are_whole(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where neither headings of two lines nor smaller gaps suffice, lines are longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    table = console.new_table(["prompt", "method", "weighted F", "boundary IoU ± 95 %"], texts=["prompt", "method"])
    table.add_row("gt-box", "focus-plain by 2 sizes", "0.719", "+0.0201 ± 0.0102")
    console.show(table)
    lines = capsys.readouterr().out.splitlines()
    for whole in ("prompt", "method", "weighted", "boundary", "gt-box", "focus-plain", "0.719", "+0.0201 ± 0.0102"):
        assert any(whole in line for line in lines), whole
    assert (len(lines) == 2) == (columns == 80)
    assert max(map(len, lines)) <= max(columns, len("gt-box focus-plain weighted F +0.0201 ± 0.0102"))


def test_long_names_in_a_table_are_folded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = console.new_table(["photo", "masks"], texts=["photo"])
    table.add_row("summer/" * 10, "12")
    console.show(table)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert "".join(line[:33].strip() for line in lines[1:]) == "summer/" * 10


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    name = "cat [final] :smile: [/b] [red].jpg"
    console.say(name)
    console.note(name)
    console.failure(name)
    table = console.new_table(["photo"], texts=["photo"], title=name)
    table.add_row(name)
    console.show(table)
    issues = Issues([Issue("unreadable-image", f"{number} {name}", "[bold]cut[/bold]") for number in range(25)])
    console.problems(issues)
    printed = capsys.readouterr()
    assert printed.out.count(name) == 3
    assert printed.err.count(name) == 2 + 3 + console.MOST_NAMED
    assert "[bold]cut[/bold]" in printed.err
    assert "left out: 5 more" in printed.err
