"""The page of a study, and the overview of several."""
