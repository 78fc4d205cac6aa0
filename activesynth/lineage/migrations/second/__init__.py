"""Revision 0002: declared weaknesses, diagnoses on demand, and the rank of a weakness."""
