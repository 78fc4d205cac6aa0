"""How each arm builds its training set; all share the real rows."""
