"""Which items belong to one patient, household, person or video: the rules, and what sides may share."""
