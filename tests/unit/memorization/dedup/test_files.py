"""Names of files are untrusted, and captions lie beside images as well as in tables."""

import zipfile
from pathlib import Path

import pytest
from PIL import Image

from rote.core.errors import DataError
from rote.data.options import ReadOptions
from rote.memorization.dedup.dedup import dedup, undo_dedup


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 50).save(tmp_path / "a.png")
    Image.new("L", (8, 8), 200).save(tmp_path / "b.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
        archive.write(tmp_path / "b.png", "x/../../b.png")
    with pytest.raises(DataError, match="no name of a file within a folder"):
        dedup(tmp_path / "all.zip", tmp_path / "clean")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "all.zip", "b.png"]


def test_texts_beside_images_stay_with_them_and_tables_lose_rows(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, level in (("a.png", 50), ("b.png", 50), ("c.png", 200)):
            Image.new("L", (8, 8), level).save(tmp_path / name)
            archive.write(tmp_path / name, f"in/{name}")
            archive.writestr(f"in/{name[0]}.txt", f"text of {name}")
        rows = 'file_name,text,note\na.png,"first, of\ntwo",1\nb.png,other,2\nc.png,third,3\n'
        archive.writestr("in/metadata.csv", rows)
        archive.writestr("in/readme.md", "no caption")
    found = dedup(tmp_path / "all.zip", tmp_path / "clean", options=ReadOptions())
    (row,) = found.json["dropped"]
    assert (row["name"], row["kept"], row["rms"], row["caption"]) == (
        *("in/b.png", "in/a.png", 0.0, "other"),
    )
    inside = tmp_path / "clean" / "in"
    assert sorted(path.name for path in inside.iterdir()) == [
        *("a.png", "a.txt", "c.png", "c.txt", "metadata.csv"),
    ]
    assert (inside / "metadata.csv").read_text() == rows.replace("b.png,other,2\n", "")


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("b.caption", "other", None),
        ("b.TXT", "other", None),
        ("b.json", '{"caption": "other"}', None),
        ("metadata.csv", "image;text\na.png;first\nb.png;other\n", "image;text\na.png;first\n"),
        ("all.json", '[{"file_name": "b.png", "text": "other"}]', "as it was"),
    ],
)
def test_captions_of_every_form_are_read_kept_and_put_back(tmp_path, name, text, left) -> None:
    source, clean = tmp_path / "all", tmp_path / "clean"
    source.mkdir()
    for image, level in (("a.png", 50), ("b.png", 50), ("c.png", 200)):
        Image.new("L", (8, 8), level).save(source / image)
    (source / name).write_text(text)
    found = dedup(source, clean)
    (row,) = found.json["dropped"]
    assert (row["name"], row["caption"]) == ("b.png", "other")
    there = clean / name
    assert (there.read_text() if there.exists() else None) == (
        text if left == "as it was" else left
    )
    assert undo_dedup(clean) == 1
    assert (clean / "b.png").exists() and there.read_text() == text


def test_a_text_in_capitals_stays_with_its_image(tmp_path: Path) -> None:
    source, clean = tmp_path / "all", tmp_path / "clean"
    source.mkdir()
    for name, level in (("1.png", 50), ("2.JPG.png", 200)):
        Image.new("L", (8, 8), level).save(source / name)
    (source / "1.TXT").write_text("first")
    (source / "2.JPG.Caption").write_text("second")
    dedup(source, clean)
    assert (clean / "1.TXT").read_text() == "first"
    assert (clean / "2.JPG.Caption").read_text() == "second"
