"""Training: the loop, what a step changes, the moving average, several processes."""
