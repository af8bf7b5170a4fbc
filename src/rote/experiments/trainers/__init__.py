"""Making by others: what a trainer is given, what it yields, and how its samples are read."""
