"""One schema for each result file: its writer fills it, its reader and the documentation follow it."""
