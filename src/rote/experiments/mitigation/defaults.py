"""The numbers that remedies are judged with unless others are asked for."""

from __future__ import annotations

COUNT, SELECTION = 1000, 250
"""Samples that a verdict is on, and that a setting is chosen on."""
MARGIN = 0.1
"""How much of precision and of coverage may be lost."""
JUDGES = ("ratio", "authenticity", "calibrated+flip")
"""Definitions of a copy; settings are chosen by the first."""
