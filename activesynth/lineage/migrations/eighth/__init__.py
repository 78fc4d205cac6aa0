"""Revision 0008, frozen."""
