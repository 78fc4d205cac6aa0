"""Label-keeping corruptions of images, each with a severity in [0, 1]."""
