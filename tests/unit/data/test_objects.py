"""What people hold in Python: taken as the files of the same images are, or refused in one line."""

import numpy as np
import pytest
import torch
from PIL import Image

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.data.options import ReadOptions
from rote.data.sides import as_dataset, as_sides

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f"{number}.png" for number in range(5)]
    for path, image in zip(found, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    return found


@pytest.mark.parametrize(
    "source",
    [
        torch.from_numpy(IMAGES),
        torch.from_numpy(IMAGES).permute(0, 3, 1, 2),
        torch.from_numpy(IMAGES).float(),
        torch.from_numpy(IMAGES).to(torch.bfloat16),
        torch.from_numpy(IMAGES).long(),
        torch.from_numpy(IMAGES).float().requires_grad_(),
        list(torch.from_numpy(IMAGES).permute(0, 3, 1, 2)),
        list(IMAGES),
        tuple(IMAGES),
        [Image.fromarray(image) for image in IMAGES],
    ],
)
def test_forms_of_images_are_the_images(source):
    for found in (load_images(source), as_dataset(source)):
        assert np.array_equal(found.items, IMAGES)
        assert len(found.names) == 5


def test_a_list_of_paths_is_the_files_in_their_order(paths):
    for source in (paths[::-1], [str(path) for path in paths[::-1]]):
        found = load_images(source)
        assert np.array_equal(found.items, IMAGES[::-1])
        assert found.names[0] == str(paths[4])


def test_one_picture_of_pillow():
    assert np.array_equal(load_images(Image.fromarray(IMAGES[0])).items, IMAGES[:1])


def test_pictures_of_several_sizes_are_fitted_as_files_are(tmp_path):
    pictures = [Image.fromarray(IMAGES[0]), Image.fromarray(IMAGES[1]).resize((12, 8))]
    arrays = [np.asarray(picture) for picture in pictures]
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
    wanted = load_images(tmp_path, resolution=4).items
    for source in (pictures, arrays):
        assert np.array_equal(load_images(source, resolution=4).items, wanted)
        with pytest.raises(DataError, match="2 sizes"):
            load_images(source)


def test_transparency_in_memory_is_said_and_laid_over(tmp_path):
    rgba = np.dstack([IMAGES[0], np.zeros((9, 7), np.uint8)])
    found = load_images([Image.fromarray(rgba)] * 2)
    assert (found.items == 255).all()
    assert "2 with transparency" in found.account.parts()[0]
    dropped = load_images([Image.fromarray(rgba)], options=ReadOptions(alpha="drop"))
    assert np.array_equal(dropped.items[0], IMAGES[0])


@pytest.mark.parametrize(
    ("tensor", "way"),
    [
        (torch.from_numpy(IMAGES) / 255, "(x * 255).round().to(torch.uint8)"),
        (torch.from_numpy(IMAGES) / 127.5 - 1, "((x + 1) * 127.5).round().to(torch.uint8)"),
    ],
)
def test_tensors_in_the_range_of_a_model_are_refused(tensor, way):
    with pytest.raises(DataError, match="tensor with values from") as caught:
        load_images(tensor)
    assert way in str(caught.value)


def test_labels_that_come_with_the_images_are_kept():
    numbered = torch.utils.data.TensorDataset(torch.from_numpy(IMAGES), torch.arange(len(IMAGES)))
    loader = torch.utils.data.DataLoader(numbered, batch_size=3)
    for source in (numbered, loader, [{"img": one, "label": n} for n, one in enumerate(IMAGES)]):
        found = load_images(source)
        assert np.array_equal(found.items, IMAGES)
        assert found.labels.tolist() == list(range(len(IMAGES)))
    assert load_images([(IMAGES[0], "a caption")]).labels is None


def test_captions_that_come_with_the_images_are_kept():
    texts = ["a", "b", "c", "d", "e"]
    batches = [(IMAGES[:2], texts[:2]), (IMAGES[2:], texts[2:])]
    pairs = list(zip(IMAGES, texts, strict=True))
    for source in ((IMAGES, texts), (list(IMAGES), tuple(texts)), pairs, batches, iter(batches)):
        found = load_images(source)
        assert np.array_equal(found.items, IMAGES)
        assert found.captions == tuple(texts)
    with pytest.raises(DataError, match="a pair with 5 captions"):
        load_images((IMAGES[:4], texts))


def test_batches_of_arrays_are_their_images():
    assert np.array_equal(load_images(iter([IMAGES[:2], IMAGES[2:4]])).items, IMAGES[:4])


def test_a_pipeline_and_what_it_returns_name_the_way():
    pytest.importorskip("diffusers")
    from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput
    from pipelines import tiny_pipeline

    with pytest.raises(DataError, match="sample_pipeline"):
        load_images(tiny_pipeline())
    with pytest.raises(DataError, match=r"give its \.images"):
        load_images(StableDiffusionPipelineOutput(list(IMAGES), None))


def test_vectors_of_any_range_are_vectors():
    assert load_images(torch.rand(5, 3)).kind == "vector"


@pytest.mark.parametrize(
    "source",
    [
        {"images": IMAGES},
        [{"picture": IMAGES[0]}],
        iter(()),
        [],
        None,
        7,
        [IMAGES[0], "a.png"],
        [IMAGES[0].astype(float), IMAGES[1, :4]],
    ],
)
def test_all_else_is_refused_in_one_line(source):
    with pytest.raises(DataError) as caught:
        load_images(source)
    said = str(caught.value)
    assert "`source`" in said
    assert "\n" not in said


def test_paths_that_are_none():
    with pytest.raises(DataError, match="is no file"):
        load_images(["nowhere.png"])


def test_a_data_set_is_itself():
    found = load_images(IMAGES)
    assert as_dataset(found) is found


def test_the_sides_of_an_audit_share_one_window(tmp_path):
    deep = IMAGES[..., 0].astype(np.uint16) * 16
    for name, images in (("t", deep), ("g", deep[:3] // 8)):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
    generated, training, holdout = as_sides(tmp_path / "g", tmp_path / "t", deep)
    assert generated.window == training.window == holdout.window == (0, 4095)
    alone = load_images(tmp_path / "g")
    with pytest.raises(
        DataError, match=r"`generated` was read with .* read both with one `window`"
    ):
        as_sides(alone, training)
