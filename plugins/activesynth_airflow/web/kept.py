"""What the server keeps of what it read: the newest of each kind, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


def one(_: object) -> int:
    """Count what is kept instead of weighing it."""
    return 1


class Kept(Generic[Value]):
    """Values by key, made when they are first asked for; those asked for longest ago go first.

    A key says all that its value hangs on, so nothing that is kept is ever out of date.
    """

    def __init__(self, most: int, weigh: Callable[[Value], int] = one) -> None:
        """Keep values that weigh at most ``most`` together, and the newest whatever it weighs."""
        self._most, self._weigh = most, weigh
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._weight = 0

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key; who asks while it is made waits for it, and for no other."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            try:
                with self._lock:
                    if key in self._values:
                        return self._values[key]
                value = make()
                with self._lock:
                    self._keep(key, value)
                return value
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def _keep(self, key: Hashable, value: Value) -> None:
        if key in self._values:
            self._weight -= self._weigh(self._values.pop(key))
        self._values[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._most and len(self._values) > 1:
            self._weight -= self._weigh(self._values.popitem(last=False)[1])

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._values.clear()
            self._weight = 0
