"""The small preset of volumes can copy: what stays of noise in samples would hide that."""

import numpy as np

from rote.data.dataset import Dataset
from rote.diffusion.draw import draw
from rote.diffusion.training.loop import train
from rote.experiments.config import preset
from rote.memorization.audit.audit import run_audit
from rote.memorization.audit.options import RATIO_ONLY


def test_the_small_preset_of_volumes_copies_two(tmp_path):
    tiny = preset("tiny", kind="volume")
    few = {"images": 2400, "snapshot_images": 2400, "ema_halflife_images": 240}
    config = tiny.train.model_copy(update=few)
    two = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 8, 1)).astype(np.uint8)
    checkpoint = train(Dataset(two), tiny.model, config, out=tmp_path, seed=1)
    drawn = draw(checkpoint, 16, seed=2, device="cpu", config=tiny.sample)
    found = run_audit(drawn, Dataset(two), RATIO_ONLY, look_for_mistakes=False)
    assert found.rate.count == 16
    assert np.median(found.ratio) < 0.28
