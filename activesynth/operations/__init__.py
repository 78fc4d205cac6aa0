"""Use cases around the loop: ingest, refresh, export, and sending events out."""
