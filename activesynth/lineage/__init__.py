"""Postgres: who made what from what, and who may commit."""
