"""Shards: a data set larger than memory, as a folder of .npy files."""
