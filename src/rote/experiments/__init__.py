"""Where making and measuring meet: runs, the search for the EMM, studies, other definitions."""
