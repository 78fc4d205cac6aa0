"""Revision 0009, frozen."""
