"""Sources of images and vectors, and `Dataset`, the form in which all else takes them."""
