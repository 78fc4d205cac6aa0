"""Find where a model is weak, make training data there, and prove what it bought."""

__version__ = "0.1.0"
