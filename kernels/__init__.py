"""Arrays in, arrays out: pixels to cells to scores, and the training step."""
