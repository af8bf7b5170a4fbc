"""What is seen of a source before anything of it is decoded."""
