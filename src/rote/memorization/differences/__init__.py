"""What may have been done to one side and not to the other, unnoticed: looked for before any rate."""
