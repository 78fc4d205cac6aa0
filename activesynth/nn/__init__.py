"""Torch blocks, devices, and what a number depends on besides its inputs."""
