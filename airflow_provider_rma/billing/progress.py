"""Progress that a person can follow in a log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Progress:
    """Logs how far a loop is, at most every few seconds."""

    def __init__(
        self, total: int, what: str, *, every: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._what, self._every, self._clock = total, what, every, clock
        self._done = 0
        self._next = clock() + every

    def step(self) -> None:
        """Count one."""
        self._done += 1
        if self._clock() >= self._next or self._done == self._total:
            self._next = self._clock() + self._every
            log.info("%d of %d %s.", self._done, self._total, self._what)
