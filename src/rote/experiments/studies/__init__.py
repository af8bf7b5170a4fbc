"""Studies: one factor each, its plan, its runs, and `study.json`."""
