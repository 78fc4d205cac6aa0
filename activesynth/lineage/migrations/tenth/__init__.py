"""Revision 0010, frozen."""
