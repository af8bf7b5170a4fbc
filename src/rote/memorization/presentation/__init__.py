"""An audit in Python: in words, as a card in a notebook, as a frame, as a figure, as an assertion."""
