"""Networks written from their papers, whose weights come inside other packages."""
