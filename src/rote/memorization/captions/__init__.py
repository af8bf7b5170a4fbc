"""An audit by caption: which prompts are copied, whose image, and how often that was in training."""
