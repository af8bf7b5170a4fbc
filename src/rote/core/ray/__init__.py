"""Ray: a cluster connected to or started here, and what clears up after one."""
