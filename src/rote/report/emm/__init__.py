"""The page of a search for the EMM."""
