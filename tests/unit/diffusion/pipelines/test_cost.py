"""What a pipeline's images cost, told from its configuration: published sizes, and sums by hand."""

import pytest
import torch
from pipelines import configured

from rote.core.errors import ConfigError
from rote.diffusion.pipelines.cost import _counted, pipeline_cost

# Parameters as published: network, autoencoder, text encoders.
SIZES = {False: 859_520_964 + 83_653_863 + 123_060_480}
SIZES[True] = 2_567_463_684 + 83_653_863 + 123_060_480 + 694_659_840
# Operations of one prediction: twice the published multiplications (0.34e12 and 2.98e12), to a fifth
# above: decoding is in it, and attention's own products are not in all of the published numbers.
PREDICTIONS = {False: (0.7e12, 0.95e12), True: (5.9e12, 7.3e12)}


@pytest.mark.parametrize("xl", [False, True], ids=["1.5", "XL"])
def test_settings_of_real_pipelines_are_told(xl: bool, tmp_path) -> None:
    configured(tmp_path, xl=xl)
    cost = pipeline_cost(str(tmp_path), images=40, guidance=5.0, steps=30, dtype="float16")
    assert cost.parameters == SIZES[xl]
    assert cost.weights_bytes == 2 * SIZES[xl] < cost.peak_bytes
    assert (cost.size, cost.steps, cost.images) == ((1024 if xl else 512), 30, 40)
    low, high = PREDICTIONS[xl]
    assert low < cost.flops / (40 * 30 * 2) < high
    assert 0 < cost.seconds[0] < cost.seconds[1]
    assert f"40 images of {cost.size} x {cost.size} in 30 steps" in cost.sentences()[0]


def test_defaults_are_those_of_the_pipeline(pipeline_folder) -> None:
    cost = pipeline_cost(str(pipeline_folder), images=1)
    assert (cost.size, cost.steps) == (8, 50)
    free = pipeline_cost(str(pipeline_folder), images=1, guidance=1.0, steps=50)
    # Without guidance half of the predictions; a decoding is little beside fifty of them.
    assert 0.45 < free.flops / cost.flops < 0.6
    assert free.peak_bytes <= cost.peak_bytes


def test_operations_are_those_counted_by_hand() -> None:
    def work(count: int) -> torch.Tensor:
        one = torch.empty(count, 2, 5, 3, device="meta")  # 2 heads of 5 tokens of 3 numbers
        mixed = torch.nn.functional.scaled_dot_product_attention(one, one, one)
        return mixed.flatten(1) @ torch.empty(30, 7, device="meta")

    flops, held = _counted(work, 4)
    assert flops == 2 * 2 * (2 * 5 * 5 * 3) + 2 * 30 * 7
    # Held at one time: what goes in, what comes out of attention, the matrix and the result.
    assert held == 4 * (4 * 30 + 4 * 30 + 30 * 7 + 4 * 7)


def test_what_has_no_configuration_is_one_line(tmp_path) -> None:
    with pytest.raises(
        ConfigError, match=r"cannot be read \(.*give a folder with model_index.json"
    ):
        pipeline_cost(str(tmp_path), images=1)
