"""Exact search of arrays: the k nearest rows, and rows within a radius.

Nothing in here knows of images or of memorization: a row is an array of uint8 or float32.
"""
