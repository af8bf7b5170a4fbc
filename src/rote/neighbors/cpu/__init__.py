"""The exact search on a CPU: few projections rule out nearly all rows, true distances decide."""
