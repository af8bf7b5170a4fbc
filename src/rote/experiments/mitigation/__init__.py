"""Remedies against copying, tried on a model before and after: what helps, and what only hides copies."""
