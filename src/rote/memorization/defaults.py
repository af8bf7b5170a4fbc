"""The numbers that an audit, the metric and the monitor use unless others are asked for."""

from __future__ import annotations

DUPLICATE_RMS = 10.0
"""Radius of near-duplicates of images, in 8-bit levels (`docs/decisions/009-duplicates.md`)."""
RATIO_THRESHOLD = 1 / 3
"""Memorized below this share of the distance to the second nearest."""
FALSE_POSITIVE_RATE = 0.005
"""What the calibrated ratio is set to."""
CONFIDENCE = 0.95
"""Of all intervals."""
