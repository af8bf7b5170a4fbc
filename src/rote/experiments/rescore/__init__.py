"""Finished runs under other definitions of a copy."""
