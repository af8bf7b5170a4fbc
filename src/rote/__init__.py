"""rote measures what generative image models learn by rote."""
