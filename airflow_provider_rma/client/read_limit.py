"""How many reads are under way at a host at the same time, counted over all clients of a process.

Mapped tasks that run as threads of one process, and several tenants of one host, share the service's patience: a list
of postings can occupy it for minutes. Writes do not wait here: they have their own order, and a deadline that runs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadLimiter:
    """Lets at most as many reads be under way at the same time as each caller allows."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._inside = 0

    @contextmanager
    def admit(self, limit: int) -> Iterator[None]:
        """Wait until fewer than ``limit`` reads are inside, then be inside.

        :param limit: at least 1. A client that allows more than another may enter where the other still waits.
        """
        with self._free:
            self._free.wait_for(lambda: self._inside < limit)
            self._inside += 1
        try:
            yield
        finally:
            with self._free:
                self._inside -= 1
                self._free.notify_all()


_limiters: dict[str, ReadLimiter] = {}
_lock = threading.Lock()


def get_limiter(origin: str) -> ReadLimiter:
    """Return the limiter of a host in this process.

    :param origin: scheme, name and port.
    """
    with _lock:
        return _limiters.setdefault(origin.casefold(), ReadLimiter())


def _forget() -> None:
    """A forked process has none of the threads that were inside."""
    global _lock
    _lock = threading.Lock()
    _limiters.clear()


os.register_at_fork(after_in_child=_forget)
