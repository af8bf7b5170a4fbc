"""Changes of a pipeline's text: none at their zero, bit for bit; elsewhere what their definition says."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError
from rote.diffusion.pipelines.changes import adjusted_text, late_text, noisy_text
from rote.diffusion.pipelines.drawing import draw
from rote.diffusion.pipelines.prompts import Asked, images_of

ASKED = images_of(("a red cat", "the blue house"), each=2, seed=0)
HOW = {"guidance": 3.0, "steps": 4}


@pytest.fixture(scope="module")
def plain(opened) -> np.ndarray:
    return draw(opened, ASKED, **HOW)


@pytest.mark.parametrize(
    ("change", "nothing"), [(noisy_text, 0.0), (late_text, 0.0), (adjusted_text, 1.0)]
)
def test_nothing_is_nothing_and_each_image_depends_on_itself(
    opened, plain, change, nothing
) -> None:
    assert np.array_equal(draw(opened, ASKED, **HOW, change=change(nothing)), plain)
    half = draw(opened, ASKED, **HOW, change=change(0.5))
    assert not np.array_equal(half, plain)
    other = (ASKED[2], Asked("x", "green dog", 7))
    assert np.array_equal(draw(opened, other, **HOW, change=change(0.5))[0], half[2])
    assert np.array_equal(draw(opened, ASKED, **HOW), plain)  # no hook is left


def test_a_text_that_is_never_told_is_the_empty_prompt(opened, plain) -> None:
    empty = [Asked(one.name, "", one.seed) for one in ASKED]
    assert np.array_equal(
        draw(opened, ASKED, **HOW, change=late_text(1.0)), draw(opened, empty, **HOW)
    )


def test_an_adjusted_text_adds_less_to_the_first_step(opened) -> None:
    def added(change) -> np.ndarray:
        """Return the length of what the text adds at the first step, of each image."""
        seen: list[torch.Tensor] = []
        hook = opened.denoiser.register_forward_hook(lambda m, a, out: seen.append(out[0]))
        with change(opened, ASKED):
            opened.given(
                prompt=[one.prompt for one in ASKED],
                generator=[torch.Generator().manual_seed(one.seed) for one in ASKED],
                output_type="latent",
                num_inference_steps=4,
                guidance_scale=3.0,
            )
        hook.remove()
        without, told = seen[0].double().chunk(2)
        return (told - without).flatten(1).norm(dim=1).numpy()

    plain, half = added(adjusted_text(1.0)), added(adjusted_text(0.5))
    assert (half <= 0.5 * plain).all() and (half > 0.2 * plain).all()


def test_without_guidance_there_is_nothing_to_change(opened) -> None:
    with pytest.raises(ConfigError, match="give a guidance above 1"):
        draw(opened, ASKED, guidance=1.0, steps=2, change=noisy_text(0.5))
