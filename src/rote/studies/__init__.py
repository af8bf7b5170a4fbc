"""Studies: where making and measuring meet. Train points, score them, choose the next."""
