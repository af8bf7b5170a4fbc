"""The presets: `paper` item by item, the others within what a laptop can do."""

import pytest

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig, SampleConfig
from rote.diffusion.training.ema import ema_decay
from rote.experiments.config import PRESETS, SearchConfig, preset
from rote.experiments.scales import scale


def test_paper_network():
    # DDPM++: 128 channels x [2, 2, 2], 2 blocks, positional, attention at 16, dropout 0.13 always, VP
    assert preset("paper").model == ModelConfig(
        architecture="unet",
        width=128,
        channel_mult=(2, 2, 2),
        blocks=2,
        attention_resolutions=(16,),
        dropout=0.13,
        time_embedding="positional",
        encoder="standard",
        resampling_filter=(1, 1),
        skips=None,
        preconditioning="vp",
    )


def test_paper_training():
    config = preset("paper").train
    assert (config.optimizer, config.learning_rate, config.weight_decay) == ("adam", 2e-4, 0.0)
    assert (config.batch, config.micro_batch) == (512, None)
    assert (config.warmup_epochs, config.warmup_images) == (200, 0)
    assert (config.epochs, config.images) == (40_000, None)
    assert (config.order, config.precision, config.compile) == ("fixed", "fp32", False)
    assert config.labels == "none"
    assert config.snapshot_images == 2_500_000
    assert config.total_images(1000) == 40_000_000


@pytest.mark.parametrize("size", [500, 1000, 5000, 50_000])
def test_paper_average(size):
    # 0.99929 per step for every N, once 5 % of the images seen times 50,000 / N exceed 500,000
    config = preset("paper").train
    reached = 500_000 / 0.05 * size / 50_000
    late = ema_decay(config, images_seen=int(reached) + 1, size=size)
    early = ema_decay(config, images_seen=int(reached / 2), size=size)
    assert late == 0.5 ** (512 / 500_000)
    assert early == pytest.approx(0.5 ** (512 / 250_000), rel=1e-12)


def test_paper_sampler_and_search():
    config = preset("paper")
    heun = SampleConfig(solver="heun", steps=18, rho=7.0, sigma_min=0.002, sigma_max=80.0, churn=0)
    assert config.sample == heun
    search = config.search
    assert (search.subset, search.stratify, search.weights) == ("archive", True, "ema")
    assert (search.epsilon, search.ratio_threshold) == (0.1, 1 / 3)
    assert search.selection_samples == search.fresh_samples == 10_000


@pytest.mark.parametrize("name", PRESETS)
def test_presets_for_vectors_are_perceptrons(name):
    config = preset(name, kind="vector")
    assert config.model.architecture == "mlp"
    assert not config.search.stratify
    assert config.train == preset(name).train


@pytest.mark.parametrize("name", PRESETS)
def test_presets_for_volumes_are_u_nets_of_three_dimensions(name):
    config = preset(name, kind="volume")
    assert config.model.architecture == "unet3d"
    assert (config.search.subset, config.search.stratify) == ("random", False)
    assert scale("paper", kind="volume").model == preset("paper", kind="volume").model
    assert config.sample.tile == 16


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(ConfigError, match=r"`preset` tinny is unknown \(did you mean 'tiny'\?\)"):
        preset("tinny")


@pytest.mark.parametrize("threshold", [0, 0.0005, 1.5])
def test_a_search_takes_the_thresholds_that_the_criterion_takes(threshold):
    with pytest.raises(ValueError, match="ratio_threshold"):
        SearchConfig(ratio_threshold=threshold)
