"""Alembic migrations of schema ``activesynth``, shipped with the package."""
