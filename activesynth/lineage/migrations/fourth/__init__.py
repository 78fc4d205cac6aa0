"""Revision 0004, frozen."""
