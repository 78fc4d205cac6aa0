"""Revision 0001: what the first schema was made of."""
