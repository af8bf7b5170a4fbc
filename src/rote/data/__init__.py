"""Sources of images and vectors, and `ImageDataset`, the form in which all else takes them."""
