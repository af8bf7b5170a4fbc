"""Measuring: nearest training images, criteria, rates, controls, the EMM from points.

Nothing in here knows how the images were made: `rote.diffusion` is never imported.
"""
