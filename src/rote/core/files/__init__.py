"""How what lies on disk is saved and read as a whole."""
