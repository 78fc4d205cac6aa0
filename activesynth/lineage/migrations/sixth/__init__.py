"""Revision 0006, frozen."""
