"""Revision 0007, frozen."""
