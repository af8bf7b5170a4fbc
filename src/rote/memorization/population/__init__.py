"""Definitions over whole sets: one statistic for all generated items, with its control and interval.

Each takes features (N, D) of three sets, `generated`, `training` and `holdout`, in one space; none of
them points at a single copy, which is what the criteria are for.
"""
