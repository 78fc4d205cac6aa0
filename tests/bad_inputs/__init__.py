"""Bad inputs by kind: what is given where, and how it is answered."""
