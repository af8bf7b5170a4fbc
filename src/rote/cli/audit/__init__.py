"""Commands that measure: `rote audit`, `rote compare`, `rote neighbors`."""
