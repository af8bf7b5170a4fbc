"""The numbers that an audit, the metric and the monitor use unless others are asked for."""

from __future__ import annotations

RATIO_THRESHOLD = 1 / 3
"""Memorized below this share of the distance to the second nearest."""
FALSE_POSITIVE_RATE = 0.005
"""What the calibrated ratio is set to."""
CONFIDENCE = 0.95
"""Of all intervals."""
