"""One run: draw the training set, train, sample, score."""
