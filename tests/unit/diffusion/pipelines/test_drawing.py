"""Images of a pipeline depend on their prompt and seed alone, and are those of the pipeline itself."""

import numpy as np
import pytest
import torch

from rote.core.errors import RunError
from rote.diffusion.pipelines.drawing import draw
from rote.diffusion.pipelines.opened import open_pipeline
from rote.diffusion.pipelines.prompts import Asked, images_of


def test_an_image_is_the_same_in_any_company(opened):
    asked = images_of(["a cat", "the dog", "red"], each=1, seed=0)
    together = draw(opened, asked, guidance=3.0, steps=2)
    for number, one in enumerate(asked):
        assert (draw(opened, [one], guidance=3.0, steps=2)[0] == together[number]).all()
    backwards = draw(opened, asked[::-1], guidance=3.0, steps=2)[::-1]
    assert (backwards == together).all()


def test_an_image_is_what_the_pipeline_makes(opened):
    one = Asked("", "a cat", 7)
    theirs = opened.given(
        prompt="a cat",
        generator=torch.Generator().manual_seed(7),
        guidance_scale=3.0,
        num_inference_steps=2,
    ).images[0]
    ours = draw(opened, [one], guidance=3.0, steps=2)[0]
    # One image or a tile of four: the last bits of a sum.
    assert np.abs(np.asarray(theirs).astype(int) - ours.astype(int)).max() <= 1


def test_every_option_changes_the_images(opened):
    asked = images_of(["a cat"], each=1, seed=0)
    first = draw(opened, asked, guidance=3.0, steps=2)
    assert (draw(opened, asked, guidance=8.0, steps=2) != first).any()
    assert (draw(opened, asked, guidance=3.0, steps=3) != first).any()
    assert (
        draw(opened, images_of(["a cat"], each=1, seed=1), guidance=3.0, steps=2) != first
    ).any()


def test_no_number_is_one_line():
    from pipelines import tiny_pipeline

    broken = tiny_pipeline()
    with torch.no_grad():
        broken.vae.decoder.conv_out.bias.fill_(torch.nan)
    with pytest.raises(RunError, match="gave NaN for 'a cat' in float32"):
        draw(
            open_pipeline(broken, device="cpu"),
            images_of(["a cat"], each=1, seed=0),
            guidance=1.0,
            steps=1,
        )
