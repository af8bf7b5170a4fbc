"""Many images in one file: tar shards, ranges of them, Parquet and Arrow."""
