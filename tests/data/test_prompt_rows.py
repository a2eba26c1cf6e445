"""Prompts of many photos from a file."""

import json
import re

import pytest

from basam import BasamError
from basam.data import PromptRow, read_prompts


def written(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_json_lines(tmp_path):
    rows = [
        {"photo": "a.jpg", "id": 7, "box": [1, 2, 30, 40], "category": "cat"},
        {"photo": "b.jpg"},
        {"photo": "a.jpg", "points": [[5, 6, 1], [7, 8, 0], [9, 9]]},
    ]
    file = read_prompts(written(tmp_path, "p.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n"))
    assert file.faults == []
    assert file.prompts == {
        tmp_path / "a.jpg": [
            PromptRow((1, 2, 30, 40), id="7", category="cat"),
            PromptRow(points=((5, 6, 1), (7, 8, 0), (9, 9, 1))),
        ],
        tmp_path / "b.jpg": [PromptRow()],
    }
    assert next(iter(read_prompts(tmp_path / "p.jsonl", root=tmp_path / "x").prompts)) == tmp_path / "x" / "a.jpg"


def test_csv_with_boxes_points_and_a_byte_order_mark(tmp_path):
    text = "\ufeffphoto,id,x0,y0,x1,y1,x,y,label\na.jpg,1,1,2,30,40,,,\na.jpg,2,,,,,5,6,0\nb.jpg,,,,,,,,\n"
    file = read_prompts(written(tmp_path, "p.csv", text))
    assert file.faults == []
    assert file.prompts[tmp_path / "a.jpg"] == [PromptRow((1, 2, 30, 40), id="1"), PromptRow(points=((5, 6, 0),), id="2")]
    assert file.prompts[tmp_path / "b.jpg"] == [PromptRow()]


def test_coco_detections(tmp_path):
    images = {"images": [{"id": 3, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "cat"}]}
    names = written(tmp_path, "instances.json", json.dumps(images))
    entries = [
        {"image_id": 3, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.5},
        {"image_id": 4, "category_id": 1, "bbox": [10, 20, 30, 40]},
        {"image_id": 3, "bbox": [10, 20, 30]},
    ]
    path = written(tmp_path, "detections.json", json.dumps(entries))
    file = read_prompts(path, images_json=names)
    assert file.prompts == {tmp_path / "a.jpg": [PromptRow((10, 20, 40, 60), id="0", category="cat")]}
    assert file.faults[0] == f"{path}, entry 1: image_id 4 is not in {names}"
    assert "entry 2: bbox [10, 20, 30]: x, y, width and height" in file.faults[1]
    with pytest.raises(BasamError, match="--images-json FILE has their names"):
        read_prompts(path)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('{"photo": 3}', "photo 3: the name of a file is needed"),
        ('{"box": [1, 2, 3, 4]}', "photo None"),
        ('{"photo": "a.jpg", "box": [1, 2, 3]}', r"box \[1, 2, 3\]: x0, y0, x1, y1"),
        ('{"photo": "a.jpg", "box": [5, 2, 3, 4]}', "is empty"),
        ('{"photo": "a.jpg", "box": [1, 2, NaN, 4]}', "x0, y0, x1, y1 in pixels are needed"),
        ('{"photo": "a.jpg", "points": [[1, 2, 5]]}', "the label is 1"),
        ('{"photo": "a.jpg", "points": [3]}', "point 3: x, y in pixels"),
        ('{"photo": "a.jpg", "boxes": []}', "unknown 'boxes'"),
        ('{"photo": "a.jpg"', "no JSON"),
    ],
)
def test_a_bad_row_is_named_and_the_others_count(tmp_path, row, fault):
    path = written(tmp_path, "p.jsonl", '{"photo": "good.jpg"}\n' + row + "\n")
    file = read_prompts(path)
    assert list(file.prompts) == [tmp_path / "good.jpg"]
    (found,) = file.faults
    assert found.startswith(f"{path}, line 2: ")
    assert re.search(fault, found)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("photo,x0,y0\na.jpg,1,2\n", "no row of it can be used; the first: .*no value for x1, y1"),
        ("photo,x,y\na.jpg,one,2\n", "one, 2: numbers are needed"),
        ("name,x,y\na.jpg,1,2\n", "names a column 'photo'"),
        ("", "names a column 'photo'"),
        ("[1, 2", "cannot be read as JSON"),
    ],
)
def test_files_of_no_use_are_refused(tmp_path, text, fault):
    with pytest.raises(BasamError, match=fault):
        read_prompts(written(tmp_path, "p", text))


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"p\.csv: no such file"):
        read_prompts(tmp_path / "p.csv")
