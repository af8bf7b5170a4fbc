"""Pictures made smaller are means of blocks."""

import numpy as np

from rote.results.gallery import shrink


def test_smaller_pictures_are_means_of_blocks_without_the_rest() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 23, 14, 3), dtype=np.uint8)
    for channels in (1, 3):
        own = pictures[..., :channels]
        small = shrink(own, 4)
        blocks = own[..., :20, :12, :].reshape(2, 3, 5, 4, 3, 4, channels)
        assert small.shape == (2, 3, 5, 3, channels)
        assert np.abs(small - blocks.mean(axis=(3, 5))).max() <= 0.5
