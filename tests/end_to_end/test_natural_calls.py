"""What people type in Python before they have read anything: it works, or one line says what does."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_wine
from torch.utils.data import DataLoader, TensorDataset

import rote

COPIES = 5
OPTIONS = {"positive_control": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return rote.load_images("digits").items


@pytest.fixture(scope="module")
def sides(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 (25, 8, 8, 1) generated digits, five of them copies, and (200, 8, 8, 1) training."""
    return np.concatenate([digits[:COPIES], digits[1500:1520]]), digits[:200]


def folder_of(images: np.ndarray, folder: Path) -> Path:
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / f"{number:04}.png")
    return folder


def pillow(images: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image[..., 0]) for image in images]


def hugging_face(images: np.ndarray) -> object:
    from datasets import Dataset, Features, Value
    from datasets import Image as Picture

    held = {"image": pillow(images), "label": [0] * len(images)}
    return Dataset.from_dict(held, features=Features({"image": Picture(), "label": Value("int64")}))


class Photos(torch.utils.data.Dataset):
    """As torchvision's ImageFolder: (Pillow image, label)."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = pillow(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[Image.Image, int]:
        return self.images[place], 7


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def in_batches(images: np.ndarray):
    for start in range(0, len(images), 7):
        yield tensor(images[start : start + 7])


def frames(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return five rows of a table of wines, and the whole of it."""
    wine = load_wine()
    columns = {name: wine.data[:, place] for place, name in enumerate(wine.feature_names)}
    columns["maker"] = np.array(["north", "south", "west"])[wine.target]
    table = pd.DataFrame(columns)
    return table.iloc[[0, 5, 9, 100, 150]], table


def csv_of(rows: pd.DataFrame, file: Path) -> Path:
    rows.to_csv(file, index=False)
    return file


def polars(rows: pd.DataFrame, _: Path) -> pl.DataFrame:
    return pl.from_pandas(rows.reset_index(drop=True))


def both(form):
    """Return a call that gives both sides in one form."""

    def call(made, trained, folder: Path):
        return rote.audit(form(made, folder / "g"), form(trained, folder / "t"), **OPTIONS)

    return call


def of_frames(form):
    """Return a call that gives both sides of a table in one form."""

    def call(made, trained, folder: Path):
        few, table = frames(folder)
        return rote.audit(form(few, folder / "g.csv"), form(table, folder / "t.csv"), **OPTIONS)

    return call


def others(count: int) -> np.ndarray:
    return rote.load_images("digits").items[400 : 400 + count]


CALLS = {
    "path": both(folder_of),
    "text of a path": both(lambda images, folder: str(folder_of(images, folder))),
    "text with a slash": both(lambda images, folder: f"{folder_of(images, folder)}/"),
    "array": both(lambda images, _: images),
    "array without channels": both(lambda images, _: images[..., 0]),
    "tensor": both(lambda images, _: tensor(images)),
    "list of tensors": both(lambda images, _: list(tensor(images))),
    "list of arrays": both(lambda images, _: list(images)),
    "list of Pillow images": both(lambda images, _: pillow(images)),
    "list of paths": both(lambda images, folder: sorted(folder_of(images, folder).iterdir())),
    "glob": both(lambda images, folder: folder_of(images, folder).glob("*.png")),
    "Hugging Face": both(lambda images, _: hugging_face(images)),
    "torch data set": both(lambda images, _: Photos(images)),
    "tensors with labels": both(
        lambda images, _: TensorDataset(tensor(images), torch.arange(len(images)))
    ),
    "loader": both(lambda images, _: DataLoader(TensorDataset(tensor(images)), batch_size=6)),
    "generator of batches": both(lambda images, _: in_batches(images)),
    "generator of images": both(lambda images, _: (image for image in pillow(images))),
    "data set of rote": both(lambda images, _: rote.load_images(images)),
    "two forms": lambda g, t, folder: rote.audit(tensor(g), folder_of(t, folder / "t"), **OPTIONS),
    "pandas": of_frames(lambda rows, _: rows),
    "polars": of_frames(polars),
    "csv": of_frames(csv_of),
    "options as text": lambda g, t, _: rote.audit(
        g, t, space="pixel", criterion="absolute", invariances="flip", **OPTIONS
    ),
    "options as lists": lambda g, t, _: rote.audit(
        g, t, space=["pixel", "lowres:8"], criterion=["ratio", "carlini"], **OPTIONS
    ),
    "an own threshold": lambda g, t, _: rote.audit(g, t, criterion="absolute=2", **OPTIONS),
    "held-out items": lambda g, t, _: rote.audit(g, t, holdout=tensor(others(99)), **OPTIONS),
    "labels": lambda g, t, _: rote.audit(
        g, t, labels=["a"] * 5 + ["b"] * 20, cluster_by="label", **OPTIONS
    ),
    "out as text": lambda g, t, folder: rote.audit(g, t, out=f"{folder}/audit", **OPTIONS),
    "a gate": lambda g, t, _: rote.audit(g, t, fail_above=0.01, **OPTIONS),
    "a test": lambda g, t, _: rote.assert_not_memorized(g, t, fail_above=0.9, device="cpu"),
}
"""What people type: each finds the five copies."""


def test_there_are_thirty() -> None:
    assert len(CALLS) == 30


@pytest.mark.parametrize("call", CALLS)
def test_what_people_type_works(call: str, sides, tmp_path: Path) -> None:
    found = CALLS[call](*sides, tmp_path)
    assert found.rate.count == COPIES
    assert found.rate.total in (len(sides[0]), COPIES)


def test_labels_are_those_of_the_training_side(sides) -> None:
    training = rote.load_images("digits").take(range(200))
    with pytest.raises(rote.RoteError, match="labels: ten are no classes of the training side"):
        rote.audit(sides[0], training, labels=["ten"] * 25, **OPTIONS)
    found = rote.audit(sides[0], training, labels=[9] * 5 + [3] * 20, cluster_by="label", **OPTIONS)
    assert found.generated.classes == training.classes


def test_what_cannot_be_read_is_one_line_with_what_can(sides) -> None:
    for source in (3, {"a": 1}, object(), None, lambda: 1, iter(()), [object()], pd.DataFrame()):
        with pytest.raises(rote.RoteError) as caught:
            rote.audit(source, sides[1])
        assert "\n" not in str(caught.value)
    for source in (3, object()):
        with pytest.raises(rote.RoteError, match=r"a path.*array.*list"):
            rote.audit(source, sides[1])


def test_names_and_types_are_those_of_the_command_line(sides, tmp_path: Path) -> None:
    generated, training = sides
    found = rote.audit(
        generated,
        training,
        holdout=rote.load_images("digits").items[300:400],
        space="pixel",
        criterion="absolute",
        invariances="flip",
        fail_above=0.01,
        out=str(tmp_path / "audit"),
        **OPTIONS,
    )
    assert (tmp_path / "audit" / "audit.json").is_file()
    assert found.gate.decision == "above"
    assert rote.write_report(str(tmp_path / "audit")).is_file()


def test_a_rate_is_a_number(sides) -> None:
    rate = rote.audit(*sides, **OPTIONS).rate
    assert rate > 0.01
    assert rate <= rate.high
    assert 0.1 < rate < 0.5
    assert rate == 0.2
    assert rate != 0.3
    assert f"{rate:.1%}" == "20.0%"
    assert f"{rate}" == str(rate)
    assert float(rate) == rate.value
    assert round(float(rate), 2) == 0.2
    assert max(rate, rote.wilson(1, 100)) is rate


def test_a_result_shows_itself(sides, tmp_path: Path) -> None:
    found = rote.audit(*sides, **OPTIONS)
    assert len(repr(found)) < 200
    assert "5 of 25" in repr(found)
    assert "20 %" in found.summary()
    assert "no control" in found.summary()
    assert [pair.training for pair in found.pairs] == list(range(COPIES))
    assert found.pairs[0].generated == 0
    frame = found.to_pandas()
    assert len(frame) == len(sides[0])
    assert frame.memorized.sum() == COPIES
    card = found._repr_html_()
    assert len(re.findall("<img ", card)) == 2 * COPIES
    assert len(card) < 40_000
    assert "http" not in card.replace("http://www.w3.org", "")
    assert found.plot().to_dict()["layer"]
    found.save(str(tmp_path / "folder"))
    assert (tmp_path / "folder" / "pairs.csv").is_file()


def test_a_result_shows_itself_in_a_terminal(sides, capsys) -> None:
    rote.audit(*sides, **OPTIONS).show()
    assert "5 of 25" in capsys.readouterr().out


def test_tests_and_gates_of_ones_own(sides) -> None:
    generated, training = sides
    with pytest.raises(AssertionError, match=r"5 of 25.*above"):
        rote.assert_not_memorized(generated, training, fail_above=0.01)
    rote.assert_not_memorized(generated[COPIES:], training, fail_above=0.5)
    with pytest.raises(AssertionError, match="not decided"):
        rote.assert_not_memorized(generated[COPIES:], training, fail_above=0.01)


def test_what_the_commands_do_is_a_function_too(sides, tmp_path: Path) -> None:
    generated, training = sides
    for name, images in (("a", generated), ("b", generated[COPIES:])):
        rote.audit(images, training, out=tmp_path / name, **OPTIONS)
    assert rote.compare(tmp_path / "a", tmp_path / "b").difference.value == pytest.approx(0.2)
    first = list(range(COPIES))
    found = rote.nearest_neighbors(generated, training)
    assert found.indices[:COPIES, 0].tolist() == first
    folders = (
        folder_of(side, tmp_path / name) for side, name in ((generated, "g"), (training, "t"))
    )
    again = rote.nearest_neighbors(*map(str, folders), out=tmp_path / "found", k=2)
    assert np.array_equal(again.indices, found.indices)
    assert (tmp_path / "found" / "neighbors.npz").is_file()
    with pytest.raises(rote.RoteError, match="`memory` is for shards"):
        rote.nearest_neighbors(generated, training, memory=10**9)
    assert re.fullmatch(r"\d+\.\d+.*", rote.__version__)
