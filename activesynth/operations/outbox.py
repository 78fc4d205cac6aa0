"""Sending what was committed to the outside, after the commit and outside of an iteration."""

from __future__ import annotations

from activesynth.steps.decide import send_events as dispatch

__all__ = ["dispatch"]
