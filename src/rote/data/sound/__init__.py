"""Sound files: read as series, all of one rate and one length."""
