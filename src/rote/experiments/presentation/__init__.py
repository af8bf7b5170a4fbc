"""Searches, studies and their rescoring in Python: in words, as cards, frames and charts."""
