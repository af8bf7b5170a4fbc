"""Metrics of whole sets, one a file: quality, and definitions of memorization that name no single copy.

Each takes features (N, D) of generated, training and held-out items in one space.
"""
