"""Files that take their place whole, whoever else writes the same name."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

import numpy as np
import pytest

from basam.files import read_image, replacing, write_image, write_json, write_mask, write_text


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_two_writers_of_one_name_have_files_of_their_own(tmp_path):
    target = tmp_path / "a.txt"
    with replacing(target) as one, replacing(target) as two:
        assert one != two
        one.write_text("of the first" * 1000)
        two.write_text("of the second")
    assert target.read_text() == "of the first" * 1000
    assert left(tmp_path) == ["a.txt"]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_many_threads_write_one_picture(tmp_path):
    target = tmp_path / "a.png"
    pictures = [np.full((200, 300, 3), value, dtype=np.uint8) for value in range(0, 240, 20)]
    threads = [threading.Thread(target=write_image, args=(target, picture)) for picture in pictures for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = read_image(target)
    assert any(np.array_equal(seen, picture) for picture in pictures)
    assert left(tmp_path) == ["a.png"]


def write_many(path, letter):
    for _ in range(50):
        write_text(path, [letter * 100] * 100)


def test_processes_write_one_text(tmp_path):
    target = tmp_path / "a.txt"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_many, args=(target, letter)) for letter in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    text = target.read_text()
    assert len(text) == 10_000
    assert len(set(text)) == 1
    assert left(tmp_path) == ["a.txt"]


def stop_in_the_middle(path):
    with replacing(path) as temporary:
        temporary.write_text("half" * 1000)
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path):
    target = tmp_path / "a.json"
    process = multiprocessing.get_context("fork").Process(target=stop_in_the_middle, args=(target,))
    process.start()
    process.join()
    assert len(left(tmp_path)) == 1
    write_json(target, {"a": 1})
    assert left(tmp_path) == ["a.json"]
    assert target.read_text() == '{\n  "a": 1\n}\n'


@pytest.mark.parametrize("name", ["p" * 251 + ".png", "ü" * 125 + ".png", "p." + "q" * 253])
def test_a_name_as_long_as_a_file_system_takes(tmp_path, name):
    write_mask(tmp_path / name, np.ones((3, 4), dtype=bool))
    assert left(tmp_path) == [name]


def test_a_block_that_fails_leaves_the_former_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("former")
    pieces = ("half" * (1 // number) for number in (1, 0))
    with pytest.raises(ZeroDivisionError):
        write_text(target, pieces)
    assert target.read_text() == "former"
    assert left(tmp_path) == ["a.txt"]


def test_permissions_are_those_of_other_new_files(tmp_path):
    (tmp_path / "other").touch()
    write_text(tmp_path / "a.txt", ["text"])
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "other").stat().st_mode
