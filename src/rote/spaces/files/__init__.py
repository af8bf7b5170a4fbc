"""Files of weights from outside: read as data, checked before anything of them runs."""
