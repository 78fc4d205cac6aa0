"""Planted weaknesses and planted absence, with real small ensembles on real pictures."""
