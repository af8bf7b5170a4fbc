"""The networks: U-Net, transformer, perceptron, and their building blocks."""
