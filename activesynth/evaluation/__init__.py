"""How good arms are, what data bought, and whether an iteration is promoted."""
