"""Image files, arrays and captions: which there are, how their bytes become items, what is kept."""
