"""Captions among the files of a source: every form gives one table, and what is no caption is none."""

import io
import json
import tarfile
import unicodedata
import zipfile

import numpy as np
import pytest
from captioned_sets import FORMS, beside, make_tar, metadata, named, write

from rote.core.errors import DataError
from rote.data.captions.find import captions_of_file
from rote.data.load import load_images
from rote.data.options import ReadOptions

NAMES = ["a/1.png", "a/2.png", "b.png"]
TEXTS = {"a/1.png": "a cat, sitting", "./a/2.png": "a dog", "b.png": "a cat, sitting"}
LINES = [json.dumps({"file_name": name, "text": text}) for name, text in TEXTS.items()]
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)


def pictures(count):
    return np.random.default_rng(count).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_pixels_and_captions(tmp_path, form):
    images = pictures(40)
    texts = [f"a picture of {n % 7}, café" for n in range(40)]
    source = FORMS[form](tmp_path, named(images), texts)
    found = load_images(str(source))
    assert np.array_equal(found.items, images)
    assert found.captions == tuple(texts)
    if found.account.unit == "files":
        left = sum(group.count for group in found.account.left_out)
        assert found.account.files == found.account.read + found.account.captions + left
    told = [one for one in found.account.treated if one.what == "with a caption"]
    assert [(one.count, one.done[:11]) for one in told] == [(40, "7 different")]
    assert (None if found.repeats is None else set(found.repeats)) == (
        {10} if form == "kohya" else None
    )
    part = found.take(np.array([5, 3])).subset(1, seed=None)
    assert part.captions == (texts[5],)
    decoded = load_images(str(source), decoded=tmp_path / "decoded")
    assert decoded.captions == found.captions


def zipped(folder):
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))
    return folder.with_suffix(".zip")


def tarred(folder):
    with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
        archive.add(folder, ".")
    return folder.with_suffix(".tar")


@pytest.mark.parametrize(
    "files",
    [
        {"metadata.jsonl": "\n".join(LINES)},
        {"metadata.jsonl": "\n".join(LINES).encode("utf-16")},
        {"metadata.jsonl": "\n".join(LINES).replace('"text"', '"prompt"')},
        {"metadata.jsonl": "\n".join(LINES).replace("a/", "a\\\\")},
        {"metadata.jsonl": "\n".join(LINES).replace("png", "PNG")},
        {"metadata.jsonl": "\n".join(LINES).replace('"text": "', '"text": ["').replace('"}', '"]}')},
        {"a/1.txt": "a cat, sitting\n", "a/2.txt": "a dog", "b.txt": "a cat, sitting"},
        {"a/1.json": '{"caption": "a cat, sitting"}', "a/2.caption": "a dog", "b.txt": TEXTS["b.png"]},
        {
            "a/metadata.csv": 'file_name;caption\n1.png;"a cat, sitting"\n2.png;a dog\n',
            "metadata.jsonl": LINES[2],
        },
        {"all.json": json.dumps([{"image": "1.jpg", "caption": TEXTS["b.png"]},
                                 {"image": "2.jpg", "caption": "a dog"},
                                 {"image": "b.jpg", "caption": TEXTS["b.png"]}])},
    ],
)  # fmt: skip
def test_captions_are_found_where_people_put_them(tmp_path, files):
    content = {
        name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()
    }
    images = [(name, one) for name, (_, one) in zip(NAMES, named(PICTURES), strict=True)]
    folder = write(tmp_path / "x", [*content.items(), *images])
    for source in (folder, zipped(folder), tarred(folder)):
        assert load_images(source).captions == tuple(TEXTS.values())
    for options in (ReadOptions(include=("*.png",)), ReadOptions(exclude=("b.*",))):
        expected = tuple(TEXTS.values())[: None if options.include else 2]
        assert load_images(folder, options=options).captions == expected


def test_letters_composed_otherwise_and_pages_have_the_caption_of_their_file(tmp_path):
    name = unicodedata.normalize("NFD", "café.tif")
    (tmp_path / "metadata.csv").write_text("file_name,text\ncafé.tif,x\n")
    assert captions_of_file(tmp_path / "metadata.csv", [name, f"{name}#2"]) == ("x", "x")


def test_names_in_other_encodings_are_the_same_names(tmp_path):
    (_, content), texts = named(PICTURES)[0], metadata([("café.png", b"")], ["x"])
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:  # UTF-8, which its flag denies
        archive.writestr("cafe\u0301.png".encode().decode("cp437"), content)
        archive.writestr("metadata.jsonl", texts)
    raw = (tmp_path / "x.zip").read_bytes()
    name = "cafe\u0301.png".encode()
    twice = name.decode("cp437").encode()
    assert raw.count(twice) == 2
    with tarfile.open(tmp_path / "x.tar", "w", encoding="latin-1") as archive:
        for member, held in (("café.png", content), ("metadata.jsonl", texts)):
            info = tarfile.TarInfo(member)
            info.size = len(held)
            archive.addfile(info, io.BytesIO(held))
    assert load_images(tmp_path / "x.tar").captions == ("x",)
    (tmp_path / "metadata.csv").write_bytes("file_name,text\ncafé.png,für\n".encode("cp1252"))
    assert captions_of_file(tmp_path / "metadata.csv", ["café.png"]) == ("für",)


def test_an_image_without_a_caption_is_named_and_an_empty_one_is_a_caption(tmp_path):
    write(tmp_path, [*beside(named(PICTURES)[:2], ["x", ""]), *named(PICTURES)[2:]])
    found = load_images(tmp_path)
    assert found.captions == ("x", "", None)
    assert "1 without a caption (kept)" in found.account.parts()


@pytest.mark.parametrize(
    "files",
    [
        {"000.txt": "0 0.5 0.5 0.25 1e-3\n", "001.txt": "1 0.5 0.5 0.2 0.2"},
        {"metadata.csv": "file_name,label\n000.png,1\n"},
        {"boxes.json": json.dumps({"images": [{"id": 1, "file_name": "000.png"}],
                                   "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]})},
        {"readme.txt": "two pictures", "000.json": '{"width": 3}'},
        {"0_cat/x.txt": ""},
    ],
)  # fmt: skip
def test_what_is_no_caption_is_left_out(tmp_path, files):
    write(tmp_path, [*named(PICTURES), *((name, text.encode()) for name, text in files.items())])
    found = load_images(tmp_path)
    assert found.captions == () and found.account.captions == 0
    assert sum(group.count for group in found.account.left_out) == len(files)


@pytest.mark.parametrize(
    ("folders", "repeats", "captions"),
    [
        (("10_sks dog", "5_dog", "10_sks dog"), [10, 10, 5], ("sks dog", "sks dog", "dog")),
        (("0_cat", "1_dog", "2_fox"), None, ()),
        (("1_cat", "2_dog", "3_fox"), None, ()),
        (("10_sks dog", "5_dog", "other"), None, ()),
    ],
)
def test_kohyas_folders_are_told_from_numbered_classes(tmp_path, folders, repeats, captions):
    files = zip(folders, named(PICTURES), strict=True)
    found = load_images(write(tmp_path, [(f"{f}/{name}", one) for f, (name, one) in files]))
    assert (found.repeats if repeats is None else found.repeats.tolist()) == repeats
    assert found.captions == captions


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"file_name": "a/1.png", "title": "x"}\n', "row 1: expected are file_name and text"),
        ('{"file_name": "b.png", "text": "x"}\n{"file_name": "b.png", "text": "y"}\n', "two captions"),
        ("[1]\n", "row 1 is no JSON object"),
        ("{\n", "cannot be read"),
    ],
)  # fmt: skip
def test_bad_files_are_one_line(tmp_path, content, expected):
    path = tmp_path / "metadata.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=expected) as caught:
        captions_of_file(path, NAMES)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="does not exist"):
        captions_of_file(tmp_path / "none.csv", NAMES)


def test_jsonl_csv_and_coco_say_the_same(tmp_path):
    rows = [f'{name},"{text}"' for name, text in TEXTS.items()]
    (tmp_path / "metadata.jsonl").write_text("\n".join([*LINES, ""]))
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,text", *rows]))
    images = [{"id": n, "file_name": name} for n, name in enumerate(TEXTS)]
    notes = [{"image_id": n, "caption": text} for n, text in enumerate(TEXTS.values())]
    (tmp_path / "c.json").write_text(json.dumps({"images": images, "annotations": notes}))
    for name in ("metadata.jsonl", "metadata.csv", "c.json"):
        assert captions_of_file(tmp_path / name, NAMES) == tuple(TEXTS.values())


def test_members_of_one_key_are_beside_each_other(tmp_path):
    (_, one), (_, two), _ = named(PICTURES)
    files = [("s/1.left.png", one), ("s/1.right.png", two), ("s/1.txt", b"both")]
    assert load_images(make_tar(tmp_path / "x.tar", files)).captions == ("both", "both")
