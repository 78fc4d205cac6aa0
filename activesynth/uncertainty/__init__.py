"""How unsure a model is, sample by sample, and where it is too unsure."""
