"""A folder of results: names, resuming, and what several processes write to it at once."""

import json
import multiprocessing
import os

import pytest

from basam.batch import RECORDS, RecordedResults, ResultFolder


def photo(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    return path


def written(folder, path, key="k"):
    place = folder.place_of(path)
    folder.write(place, key, {f"{place.stem}_mask.png": lambda file: file.write_bytes(b"mask")}, [{"n": 1}])
    return place.stem


def finished(folder, path, key="k"):
    line = folder.finished(folder.place_of(path), key)
    return None if line is None else line["rows"]


def test_only_the_line_of_the_same_key_and_photo_counts(tmp_path):
    path = photo(tmp_path, "a.png")
    written(ResultFolder(tmp_path / "o"), path)
    again = ResultFolder(tmp_path / "o")
    assert finished(again, path) == [{"n": 1}]
    assert finished(again, path, "other") is None
    path.write_bytes(b"a.pnG")  # as many bytes
    assert finished(again, path) is None


def test_a_line_that_was_cut_short_moves_no_other(tmp_path):
    one, two = photo(tmp_path, "a.png"), photo(tmp_path, "b ü.png")
    written(ResultFolder(tmp_path / "o"), one)
    with (tmp_path / "o" / RECORDS).open("ab") as file:
        file.write('{"photo": "ü cut sh'.encode())
    folder = ResultFolder(tmp_path / "o")
    written(folder, two)
    for each in (folder, ResultFolder(tmp_path / "o")):
        assert each.finished(each.place_of(one), "k")["photo"].endswith("a.png")
        assert each.finished(each.place_of(two), "k")["photo"].endswith("b ü.png")


def test_a_folder_that_is_only_looked_at_is_not_made(tmp_path):
    folder = ResultFolder(tmp_path / "o", changes=False)
    assert finished(folder, photo(tmp_path, "a.png")) is None
    assert not (tmp_path / "o").exists()


def test_names_are_the_same_for_all_that_ask_in_the_same_order(tmp_path, monkeypatch):
    paths = [photo(tmp_path, name) for name in ("x/a.png", "y/a.png", "y/a.jpg", "z/a.png")]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for _ in range(2):
        folder = ResultFolder(tmp_path / "o")
        assert [folder.place_of(path).stem for path in paths] == ["a", "a.png", "a.jpg", "z/a"]
    assert ResultFolder(tmp_path / "o").place_of(paths[3]).stem == "a"  # alone it takes the shortest


def append(root, number):
    folder = ResultFolder(root, shared=True)
    for count in range(50):
        folder.records.append({"photo": f"{number}-{count}", "text": "x" * 3000})


def test_lines_of_several_processes_stay_whole(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=append, args=(tmp_path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lines = [json.loads(text) for text in (tmp_path / RECORDS).read_text().splitlines()]
    assert len({line["photo"] for line in lines}) == len(lines) == 200


def test_a_shared_folder_without_locks_is_refused(tmp_path, monkeypatch):
    import fcntl

    def refuse(*arguments):
        raise OSError("No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="give every process an --out of its own"):
        ResultFolder(tmp_path, shared=True).records.append({"photo": "a"})
    ResultFolder(tmp_path).records.append({"photo": "a"})


def test_results_of_any_run_are_known(tmp_path):
    path = photo(tmp_path, "photos/a.png")
    for name in ("photos/one", "photos/two"):
        written(ResultFolder(tmp_path / name), path)
    photo(tmp_path, "photos/one/b.png")
    photo(tmp_path, "photos/mine/records.jsonl").write_text('{"file": "c.png"}')
    photo(tmp_path, "photos/mine/c.png")
    known = RecordedResults()
    images = [each for each in (tmp_path / "photos").rglob("*.png") if not known.holds(each)]
    assert sorted(each.name for each in images) == ["a.png", "b.png", "c.png"]


def test_records_that_are_no_lines_at_all_are_refused(tmp_path):
    """Whereas the beginning of one line, of a run that was killed at its first photo, is none of anybody else."""
    for text in ("my own notes\n", '{"name": "a diary"}\n'):
        (tmp_path / RECORDS).write_text(text)
        with pytest.raises(FileExistsError, match="is not a record of basam: choose another folder"):
            ResultFolder(tmp_path)
    for text in ("", "\n", '{"pho', '{"photo": "/a'):
        (tmp_path / RECORDS).write_text(text)
        written(ResultFolder(tmp_path), photo(tmp_path, "a.png"))
        assert finished(ResultFolder(tmp_path), tmp_path / "a.png") == [{"n": 1}]
        (tmp_path / "a_mask.png").unlink()


def test_what_another_process_wrote_since_is_its_photos_own(tmp_path):
    path = photo(tmp_path, "a.png")
    early = ResultFolder(tmp_path / "o")
    written(ResultFolder(tmp_path / "o"), path)
    written(early, path)  # the same command twice at once: not a file of somebody else
    with pytest.raises(FileExistsError, match="was written for"):
        early.write(early.place_of(photo(tmp_path, "b.png")), "k", {"a_mask.png": lambda file: None}, [])


def test_names_that_are_no_text_are_recorded(tmp_path):
    path = tmp_path / os.fsdecode(b"a\xff.png")
    try:
        path.write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes names that are text alone")
    written(ResultFolder(tmp_path / "o"), path)
    assert finished(ResultFolder(tmp_path / "o"), path) == [{"n": 1}]
    assert (tmp_path / "o" / RECORDS).read_bytes().decode("utf-8")
