"""Revision 0012, frozen."""
