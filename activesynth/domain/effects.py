"""The seam through which every external effect passes.

Adapters wrap each blob put and removal, SQL commit, outbox send and trigger in
``effects.around(...)``. In production nothing happens there; the kill suite ends the process just
before or just after.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

EffectKind = Literal["blob.put", "blob.delete", "sql.commit", "outbox.send", "trigger"]


class Effects(Protocol):
    """Is told before and after every external effect."""

    def before(self, kind: EffectKind, key: str) -> None:
        """Is called when the effect is about to happen."""
        ...

    def after(self, kind: EffectKind, key: str) -> None:
        """Is called when the effect has happened."""
        ...


class Unwatched:
    """Lets every effect pass; what production uses."""

    def before(self, kind: EffectKind, key: str) -> None:
        """Do nothing."""

    def after(self, kind: EffectKind, key: str) -> None:
        """Do nothing."""


@contextmanager
def watched(effects: Effects, kind: EffectKind, key: str) -> Iterator[None]:
    """Report one effect to ``effects`` before it happens and after it succeeded."""
    effects.before(kind, key)
    yield
    effects.after(kind, key)
