"""Searches past one memory and past one machine, resumable."""
