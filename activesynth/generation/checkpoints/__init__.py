"""Generators made of diffusers checkpoints that somebody else trained."""
