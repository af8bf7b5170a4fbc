"""The search for the EMM: which runs, their progress, and `emm.json`."""
