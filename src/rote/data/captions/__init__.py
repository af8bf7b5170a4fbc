"""Texts of images: which files hold them, and which image each is of."""
