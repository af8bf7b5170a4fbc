"""Commands of data: `rote data` and `rote data shard`."""
