"""Results that show themselves in Python: in words, as a card in a notebook, as a chart."""
