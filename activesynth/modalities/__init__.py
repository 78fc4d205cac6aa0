"""Which parts serve each kind of data, and what binds them."""
