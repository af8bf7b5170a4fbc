"""How far long work is: counted where it is done, shown where somebody wants to see it."""
