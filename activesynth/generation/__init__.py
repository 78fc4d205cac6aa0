"""Generators: parts that make samples where the model is weak, learnt from real rows only."""
