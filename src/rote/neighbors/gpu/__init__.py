"""The exact search on a device: products near its rate, exact sums for what they leave."""
