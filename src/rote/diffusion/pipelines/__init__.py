"""Text-to-image pipelines of diffusers: opened, with a LoRA, asked for images, screened by prompts."""
