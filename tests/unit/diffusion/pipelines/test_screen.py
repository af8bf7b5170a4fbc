"""The screen of prompts: a linear network in closed form, and one that knows nothing."""

import json

import numpy as np
import pytest
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from pipelines import tiny_pipeline

from rote.core.errors import ConfigError
from rote.diffusion.pipelines.opened import open_pipeline
from rote.diffusion.pipelines.screen import screen_prompts


class Linear(ModelMixin, ConfigMixin):
    """e(x, t, text) = a x + W mean(text): what guidance adds is W (mean of prompt - mean of empty)."""

    @register_to_config
    def __init__(
        self, sample_size: int = 4, in_channels: int = 4, time_cond_proj_dim: int | None = None
    ) -> None:
        super().__init__()
        self.weight = torch.nn.Linear(8, 4 * 4 * 4, bias=False)

    def forward(self, x, t, encoder_hidden_states, **_):
        added = self.weight(encoder_hidden_states.mean(1)).reshape(-1, 4, 4, 4)
        return UNet2DConditionOutput(sample=0.3 * x + added)


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "known.txt").write_text("a cat\nthe dog\nred house\na red cat\nblue\n")
    (tmp_path / "other.txt").write_text("green\nof the\na house\nblue\ndog dog\n")
    return tmp_path


def test_a_linear_network_has_its_closed_form(texts):
    pipeline = tiny_pipeline()
    torch.manual_seed(3)
    pipeline.unet = Linear()
    found = screen_prompts(open_pipeline(pipeline, device="cpu"), texts / "known.txt", draws=2)
    weight = pipeline.unet.weight.weight.detach().double()
    with torch.no_grad():
        for row in found.to_json()["prompts"]:
            prompt, empty = pipeline.encode_prompt(row["text"], "cpu", 1, True)
            added = weight @ (prompt[0].double().mean(0) - empty[0].double().mean(0))
            # The network computes in float32: some units in the last place of sums over eight numbers.
            assert row["score"] == pytest.approx(float(added.norm()), rel=1e-4)
    scores = [row["score"] for row in found.to_json()["prompts"]]
    assert scores == sorted(scores, reverse=True)
    assert found.to_json()["roc"] is None and "nothing says" in found.sentences()[0]
    with pytest.raises(ConfigError, match="no AUC to plot"):
        found.plot()


def test_trained_prompts_stand_out_where_the_network_reacts_to_them(texts):
    pipeline = tiny_pipeline()
    pipeline.unet = Linear()
    with torch.no_grad():
        prompts = [
            text for text in (texts / "known.txt").read_text().splitlines() if text != "blue"
        ]
        known = torch.stack(
            [pipeline.encode_prompt(p, "cpu", 1, True)[0][0].mean(0) for p in prompts]
        )
        empty = pipeline.encode_prompt("", "cpu", 1, True)[1][0].mean(0)
        # Along the directions of the known prompts alone, and most along the weakest of them.
        directions = torch.linalg.svd(known - empty, full_matrices=False)
        pipeline.unet.weight.weight.zero_()
        pipeline.unet.weight.weight[:4] = directions.Vh / directions.S[:, None]
    found = screen_prompts(
        open_pipeline(pipeline, device="cpu"),
        texts / "known.txt",
        control_prompts=texts / "other.txt",
        draws=1,
        out=texts,
    ).to_json()
    assert len(found["control"]) == 4, "a prompt of both is no control"
    roc = found["roc"]
    members, others = (
        np.array([row["score"] for row in found[side]]) for side in ("prompts", "control")
    )
    by_hand = (members[:, None] > others).mean() + (members[:, None] == others).mean() / 2
    assert roc["auc"] == pytest.approx(by_hand, abs=1e-12)
    assert roc["auc_low"] <= roc["auc"] <= roc["auc_high"]
    assert json.loads((texts / "prompts.json").read_text())["roc"] == roc


def test_a_network_that_hears_no_text_is_at_one_half(texts):
    pipeline = tiny_pipeline()
    pipeline.unet = Linear()
    with torch.no_grad():
        pipeline.unet.weight.weight.zero_()
    found = screen_prompts(
        open_pipeline(pipeline, device="cpu"),
        texts / "known.txt",
        control_prompts=texts / "other.txt",
    )
    roc = found.to_json()["roc"]
    assert roc["auc"] == 0.5 and roc["auc_low"] < 0.5 < roc["auc_high"]
    assert "0.500" in found.sentences()[0]


def test_what_cannot_be_screened_is_one_line(texts, opened):
    with pytest.raises(ConfigError, match="`draws` is 0"):
        screen_prompts(opened, texts / "known.txt", draws=0)
    with pytest.raises(ConfigError, match="holds no text that `prompts` has not"):
        screen_prompts(opened, texts / "known.txt", control_prompts=texts / "known.txt")
