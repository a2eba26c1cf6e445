"""Prompts of many photos from a file."""

import json
import re
import unicodedata

import pytest

from basam import BasamError
from basam.batch import PromptRow, read_prompts


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "good.jpg", "deep/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def written(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_json_lines(folder):
    rows = [
        {"photo": "a.jpg", "id": 7, "box": [1, 2, 30, 40], "label": "cat", "score": 0.5},
        {"photo": "b.jpg"},
        {"photo": "a.jpg", "points": [[5, 6, 1], [7, 8, 0], [9, 9]], "id": "dog 1"},
    ]
    file = read_prompts(written(folder, "p.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n"))
    assert file.faults == []
    assert file.prompts == {
        folder / "a.jpg": [
            PromptRow((1, 2, 30, 40), id=7, label="cat", score=0.5),
            PromptRow(points=((5, 6, 1), (7, 8, 0), (9, 9, 1)), id="dog 1"),
        ],
        folder / "b.jpg": [PromptRow()],
    }
    as_list = read_prompts(written(folder, "p.json", json.dumps(rows, indent=1)))
    assert as_list.prompts == file.prompts
    one = read_prompts(written(folder, "one.json", json.dumps(rows[0], indent=1)))
    assert one.prompts == {folder / "a.jpg": file.prompts[folder / "a.jpg"][:1]}


def test_names_are_relative_to_the_file_or_to_a_folder(folder, tmp_path_factory):
    path = written(tmp_path_factory.mktemp("elsewhere"), "p.jsonl", '{"photo": "a.jpg"}')
    assert list(read_prompts(path, root=folder).prompts) == [folder / "a.jpg"]
    beside = written(folder, "beside.jsonl", '{"photo": "a.jpg"}')
    assert list(read_prompts(beside, root=path.parent).prompts) == [folder / "a.jpg"]
    with pytest.raises(BasamError, match=r"no row of it can be used; the first: .*line 1: photo .*elsewhere.*a\.jpg: no such"):
        read_prompts(path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_with_boxes_points_and_a_byte_order_mark(folder, separator):
    text = (
        "\ufeffphoto,id,x0,y0,x1,y1,x,y,inside,label,score\n"
        "a.jpg,1,1,2,30,40,,,,cat,0.5\na.jpg,x2,,,,,5,6,0,,\nb.jpg,,,,,,,,,,\n"
    )
    file = read_prompts(written(folder, "p.csv", text.replace(",", separator)))
    assert file.faults == []
    assert file.prompts[folder / "a.jpg"] == [
        PromptRow((1, 2, 30, 40), id=1, label="cat", score=0.5),
        PromptRow(points=((5, 6, 0),), id="x2"),
    ]
    assert file.prompts[folder / "b.jpg"] == [PromptRow()]


def test_csv_as_other_programs_write_it(folder):
    """Columns in capitals, UTF-16 with its byte order mark, and a comma for the decimal point between semicolons."""
    path = written(folder, "p.csv", "photo;x0;y0;x1;y1;score\na.jpg;1,5;2;3;4;0,25\n")
    assert read_prompts(path).prompts == {folder / "a.jpg": [PromptRow((1.5, 2, 3, 4), score=0.25)]}
    (folder / "p.csv").write_bytes("Photo, X0, Y0, X1, Y1\r\na.jpg, 1, 2, 3, 4\r\n".encode("utf-16"))
    assert read_prompts(folder / "p.csv").prompts == {folder / "a.jpg": [PromptRow((1, 2, 3, 4))]}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.filterwarnings("ignore:.*was read as Windows-1252")
def test_a_csv_of_excel_is_read_in_its_encodings(folder, encoding):
    for name, label in (("Größe 1.jpg", "Straße"), ("résumé.jpg", "café – €")):
        (folder / name).write_bytes(b"x")
        (folder / "p.csv").write_bytes(f"photo;x0;y0;x1;y1;label\r\n{name};1;2;3;4;{label}\r\n".encode(encoding))
        file = read_prompts(folder / "p.csv")
        assert file.prompts == {folder / name: [PromptRow((1, 2, 3, 4), label=label)]}


def test_other_encodings_are_refused_without_a_place_in_bytes(folder):
    for content in (b'{"photo": "\xe4.jpg"}', b"photo\n\x81\x8d.jpg\n"):
        (folder / "p.csv").write_bytes(content)
        with pytest.raises(BasamError, match="save it as UTF-8") as caught:
            read_prompts(folder / "p.csv")
        assert "position" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("photo,id\na.jpg,7.0\n", 7),
        ("photo,id\na.jpg,12.000\nb.jpg,\n", 12),
        ("photo;id\na.jpg;7,0\n", 7),
        ("photo\tid\na.jpg\t3,0\n", 3),
        ("photo,id\na.jpg,7.5\n", "7.5"),
        ("photo,id\na.jpg,v7.0\n", "v7.0"),
        ("photo,id\na.jpg,7\n", 7),
    ],
)
def test_ids_of_a_csv_are_whole_numbers_where_pandas_wrote_floats(folder, text, identity):
    assert read_prompts(written(folder, "p.csv", text)).prompts[folder / "a.jpg"][0].id == identity


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nphoto;x0;y0;x1;y1\na.jpg;1,5;2;3;4\n",
        "\ufeffSEP=;\r\nphoto;x0;y0;x1;y1\r\na.jpg;1,5;2;3;4\r\n",
        "sep=\t\nphoto\tx0\ty0\tx1\ty1\na.jpg\t1,5\t2\t3\t4\n",
        "photo\tx0\ty0\tx1\ty1\na.jpg\t1,5\t2\t3\t4\n",
        "photo\tx0\ty0\tx1\ty1\na.jpg\t1.5\t2\t3\t4\n",
        "photo,x0,y0,x1,y1\n,,,,\na.jpg,1.5,2,3,4\n,,,,\n , ,,,\n",
        "photo;x0;y0;x1;y1\na.jpg;1,5;2;3;4\n;;;;\n;;;;\n",
        "sep=,\nphoto,x0,y0,x1,y1\na.jpg,1.5,2,3,4\n",
    ],
)
def test_tables_as_spreadsheets_write_them(folder, text):
    file = read_prompts(written(folder, "p.csv", text))
    assert file.prompts == {folder / "a.jpg": [PromptRow((1.5, 2, 3, 4))]}
    assert file.faults == []


def test_lines_are_counted_with_that_of_excel(folder):
    (fault,) = read_prompts(written(folder, "p.csv", "sep=;\nphoto;x;y\na.jpg;1;2\n;;\nb.jpg;one;2\n")).faults
    assert "p.csv, line 5: " in fault


def test_ids_and_names_of_a_coco_file_are_the_users(folder):
    data = {
        "images": [{"id": 0, "file_name": "deep/c.jpg"}, {"id": "b7", "file_name": "a.jpg"}],
        "annotations": [{"image_id": 0, "category_id": 18, "bbox": [1, 2, 3, 4]}, {"image_id": "b7", "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 3, "name": "car", "supercategory": "vehicle"}, {"id": 18, "name": "dog"}],
    }
    file = read_prompts(written(folder, "instances.json", json.dumps(data)))
    assert file.image_ids == {folder / "deep" / "c.jpg": 0, folder / "a.jpg": "b7"}
    assert file.categories == data["categories"]
    assert file.names == {folder / "deep" / "c.jpg": "deep/c.jpg", folder / "a.jpg": "a.jpg"}
    assert file.prompts[folder / "deep" / "c.jpg"][0].category_id == 18


def test_coco_detections(folder):
    images = {"images": [{"id": 3, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "cat"}]}
    names = written(folder, "instances.json", json.dumps(images))
    entries = [
        {"image_id": 3, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.5},
        {"image_id": 4, "category_id": 1, "bbox": [10, 20, 30, 40]},
        {"image_id": 3, "bbox": [10, 20, 30]},
        {"image_id": 3, "bbox": [10, 20, 0, 40]},
        "text",
        {"image_id": 3, "category_id": 9, "bbox": [1, 2, 3, 4], "id": 12},
    ]
    path = written(folder, "detections.json", json.dumps(entries))
    file = read_prompts(path, images_json=names)
    assert file.prompts == {
        folder / "a.jpg": [
            PromptRow((10, 20, 40, 60), label="cat", score=0.5, category_id=1),
            PromptRow((1, 2, 4, 6), id=12, label="9", category_id=9),
        ]
    }
    assert file.faults[0] == f"{path}, entry 1: image_id 4 is not in {names}"
    assert "entry 2: bbox [10, 20, 30]: x, y, width and height" in file.faults[1]
    assert "entry 3: box [10.0, 20.0, 10.0, 60.0] is empty" in file.faults[2]
    assert "entry 4: 'text': an object with 'image_id' and 'bbox' is needed" in file.faults[3]
    with pytest.raises(BasamError, match="--images-json FILE"):
        read_prompts(path)
    with pytest.raises(BasamError, match="no list 'images' with 'id' and 'file_name'"):
        read_prompts(path, images_json=path)


def test_annotations_of_coco_bring_their_own_images(folder):
    data = {
        "images": [{"id": 3, "file_name": "deep\\c.jpg"}],
        "annotations": [{"id": 70, "image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    path = written(folder, "instances.json", json.dumps(data))
    assert read_prompts(path).prompts == {
        folder / "deep" / "c.jpg": [PromptRow((1, 2, 4, 6), id=70, label="cat", category_id=1)]
    }


def test_a_photo_that_is_named_in_several_ways_is_one(folder):
    (folder / unicodedata.normalize("NFC", "é.jpg")).write_bytes(b"x")
    names = ["a.jpg", "./a.jpg", "deep/../a.jpg", str(folder / "a.jpg"), unicodedata.normalize("NFD", "é.jpg")]
    text = "\n".join(json.dumps({"photo": name, "id": index}) for index, name in enumerate(names))
    file = read_prompts(written(folder, "p.jsonl", text))
    assert not file.faults
    assert [(path.name, len(rows)) for path, rows in file.prompts.items()] == [("a.jpg", 4), ("é.jpg", 1)]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('{"photo": 3}', "photo 3: the name of a file is needed"),
        ('{"photo": "b\\u0000.jpg"}', "no such file"),
        ('{"photo": "absent.jpg"}', r"photo .*absent\.jpg: no such file"),
        ('{"box": [1, 2, 3, 4]}', "photo None"),
        ('{"photo": "a.jpg", "box": [1, 2, 3]}', r"box \[1, 2, 3\]: x0, y0, x1, y1"),
        ('{"photo": "a.jpg", "box": "1,2,3,4"}', r"box '1,2,3,4': x0, y0, x1, y1"),
        ('{"photo": "a.jpg", "box": [5, 2, 3, 4]}', "is empty"),
        ('{"photo": "a.jpg", "box": [1, 2, NaN, 4]}', "x0, y0, x1, y1 in pixels are needed"),
        ('{"photo": "a.jpg", "points": [[1, 2, 5]]}', "the label is 1"),
        ('{"photo": "a.jpg", "points": [3]}', "point 3: x, y in pixels"),
        ('{"photo": "a.jpg", "points": {"x": 3}}', "a list of"),
        ('{"photo": "a.jpg", "boxes": []}', "unknown 'boxes'; known are photo, id, box, points, label, score"),
        ('{"photo": "a.jpg", "id": [1]}', r"id \[1\]: a whole number or a text is needed"),
        ('{"photo": "a.jpg", "score": "high"}', "score 'high': a number is needed"),
        ('{"photo": "a.jpg", "label": {}}', "label {}: a text is needed"),
        ('{"photo": "a.jpg"', "JSON"),
        ("[1, 2]", "'.1, 2.': an object with 'photo' is needed"),
    ],
)
def test_a_bad_row_is_named_and_the_others_count(folder, row, fault):
    path = written(folder, "p.jsonl", '{"photo": "good.jpg"}\n' + row + "\n")
    file = read_prompts(path)
    assert list(file.prompts) == [folder / "good.jpg"]
    (found,) = file.faults
    assert found.startswith(f"{path}, line 2: ")
    assert re.search(fault, found)


def test_columns_of_other_names_do_not_mean_the_whole_photo(folder):
    """But beside a box they are of no matter."""
    with pytest.raises(BasamError, match="neither box nor points, but unknown 'xmax', 'xmin', 'ymax', 'ymin'"):
        read_prompts(written(folder, "p.csv", "photo,xmin,ymin,xmax,ymax\na.jpg,1,2,3,4\n"))
    file = read_prompts(written(folder, "p.csv", "photo,x0,y0,x1,y1,class_id\na.jpg,1,2,3,4,5\n"))
    assert file.prompts == {folder / "a.jpg": [PromptRow((1, 2, 3, 4))]}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("photo,x0,y0\na.jpg,1,2\n", "no row of it can be used; the first: .*no value for x1, y1"),
        ("photo,x,y\na.jpg,one,2\n", "line 2: 'one': a number is needed"),
        ("photo,x,y\na.jpg,1,2,3\n", r"more values than columns: \['3'\]"),
        ("name,x,y\na.jpg,1,2\n", "names a column 'photo'"),
        ("", "names a column 'photo'"),
        ("[1, 2", "is not JSON"),
        ("[]", "no row of it can be used"),
        ('{"annotations": [], "images": []}', "no row of it can be used"),
        ('{"annotations": []}', "no list 'images'"),
    ],
)
def test_files_of_no_use_are_refused(folder, text, fault):
    with pytest.raises(BasamError, match=fault):
        read_prompts(written(folder, "p", text))


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"p\.csv: no such file"):
        read_prompts(tmp_path / "p.csv")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    with pytest.raises(BasamError, match="save it as UTF-8"):
        read_prompts(tmp_path / "binary")
