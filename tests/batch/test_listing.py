"""Photographs as they are named on a command line."""

import pytest

from basam.batch import list_photos


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "note.txt", ".hidden.jpg", "deep/c.tif", "deep/.cache/d.jpg", "@eaDir/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(folder, *words, **more):
    listed = list_photos([str(word) for word in words], **more)
    return [str(path.relative_to(folder)) for path in listed.photos], listed.faults


def test_folders_patterns_and_files(folder):
    assert names(folder, folder) == (["a.PNG", "b.jpg", "deep/c.tif"], [])
    assert names(folder, folder / "*.jpg") == (["b.jpg"], [])
    assert names(folder, folder / "**" / "*.tif") == (["deep/c.tif"], [])
    assert names(folder, folder / "note.txt") == (["note.txt"], [])  # as it is given: reading it will say what is wrong
    assert names(folder, folder / "b.jpg", folder, folder / "deep" / ".." / "b.jpg")[0] == ["b.jpg", "a.PNG", "deep/c.tif"]


def test_a_name_with_signs_of_a_pattern_is_a_file_first(folder):
    (folder / "a[1].png").write_bytes(b"x")
    assert names(folder, folder / "a[1].png") == (["a[1].png"], [])


def test_results_are_left_out_where_they_were_not_named(folder):
    is_result = {"leave_out": lambda path: path.name == "b.jpg"}
    assert names(folder, folder, **is_result)[0] == ["a.PNG", "deep/c.tif"]
    assert names(folder, folder / "b.jpg", **is_result)[0] == ["b.jpg"]


@pytest.mark.parametrize("text", ["{0}/b.jpg\n{0}/odd name.jpg\n\n", "{0}/b.jpg\0{0}/odd name.jpg\0"])
def test_names_from_standard_input(folder, text):
    found, faults = names(folder, "-", stdin=lambda: text.format(folder))
    assert found == ["b.jpg", "odd name.jpg"]
    assert not faults


def test_words_that_name_nothing_are_reported_with_the_reason(folder):
    (folder / "empty").mkdir()
    found, faults = names(folder, folder / "empty", folder / "*.bmp", "-", folder / "b.jpg", stdin=lambda: "")
    assert found == ["b.jpg"]
    assert faults == [
        (str(folder / "empty"), "no image in the folder"),
        (str(folder / "*.bmp"), "no file matches the pattern"),
        ("-", "standard input held no names"),
    ]
