"""The page of remedies that were tried on one model."""
