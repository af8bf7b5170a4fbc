"""What the denoiser tells without sampling: its gap to the optimum, and membership by its loss."""
