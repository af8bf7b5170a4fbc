"""Captions from metadata files: both forms, and what is wrong with one."""

import json
import tarfile
import unicodedata
import zipfile

import pytest

from rote.core.errors import DataError
from rote.data.files.captions import find_captions, load_captions

NAMES = ["a/1.png", "a/2.png", "b.png"]
TEXTS = {"a/1.png": "a cat, sitting", "./a/2.png": "a dog", "b.png": "a cat, sitting"}


def test_jsonl_and_csv_say_the_same(tmp_path):
    lines = [json.dumps({"file_name": name, "text": text}) for name, text in TEXTS.items()]
    (tmp_path / "metadata.jsonl").write_text("\n".join([*lines, ""]))
    rows = [f'{name},"{text}"' for name, text in TEXTS.items()]
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,text", *rows]))
    for name in ("metadata.jsonl", "metadata.csv"):
        cluster, captions = load_captions(tmp_path / name, NAMES)
        assert captions == ("a cat, sitting", "a dog")
        assert cluster.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"file_name": "a/1.png", "text": "x"}\n', r"no caption for 2 of 3 images \(a/2.png"),
        ('{"file_name": "a/1.png", "title": "x"}\n', "row 1: expected are file_name and text"),
        ('{"file_name": "b.png", "text": "x"}\n{"file_name": "b.png", "text": "y"}\n', "two captions"),
        ("[1]\n", "row 1 is no JSON object"),
        ("{\n", "cannot be read"),
    ],
)  # fmt: skip
def test_bad_files_are_one_line(tmp_path, content, expected):
    path = tmp_path / "metadata.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=expected):
        load_captions(path, NAMES)


def test_missing_files_are_said(tmp_path):
    with pytest.raises(DataError, match=r"`captions` .* does not exist"):
        load_captions(tmp_path / "none.csv", NAMES)
    with pytest.raises(DataError, match=r"has no metadata.jsonl or metadata.csv"):
        find_captions(str(tmp_path), NAMES)


def written(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def zipped(folder):
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))
    return folder.with_suffix(".zip")


def tarred(folder):
    with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
        archive.add(folder, ".")
    return folder.with_suffix(".tar")


LINES = [json.dumps({"file_name": name, "text": text}) for name, text in TEXTS.items()]


@pytest.mark.parametrize(
    "files",
    [
        {"metadata.jsonl": "\n".join(LINES)},
        {"metadata.jsonl": "\n".join(LINES).encode("utf-16")},
        {"metadata.jsonl": "\n".join(LINES).replace('"text"', '"prompt"')},
        {"metadata.jsonl": "\n".join(LINES).replace("a/", "a\\\\")},
        {"a/1.txt": "a cat, sitting\n", "a/2.txt": "a dog", "b.txt": "a cat, sitting"},
        {
            "a/metadata.csv": 'file_name,caption\n1.png,"a cat, sitting"\n2.png,a dog\n',
            "metadata.jsonl": LINES[2],
        },
    ],
)
def test_captions_are_found_where_people_put_them(tmp_path, files):
    pictures = dict.fromkeys(NAMES, b"")
    folder = written(tmp_path / "x", files | pictures)
    for source in (folder, zipped(folder), tarred(folder)):
        cluster, captions = find_captions(str(source), NAMES)
        assert captions == ("a cat, sitting", "a dog")
        assert cluster.tolist() == [0, 1, 0]


def test_letters_composed_otherwise_and_pages_have_the_caption_of_their_file(tmp_path):
    name = unicodedata.normalize("NFD", "café.tif")
    written(tmp_path, {"metadata.csv": "file_name,text\ncafé.tif,x\n"})
    assert find_captions(str(tmp_path), [name, f"{name}#2"])[0].tolist() == [0, 0]


def test_an_image_without_a_text_beside_it_is_named(tmp_path):
    written(tmp_path, {"a/1.txt": "x"})
    with pytest.raises(DataError, match=r"its \.txt files has no caption for 2 of 3 images \(a/2"):
        find_captions(str(tmp_path), NAMES)
