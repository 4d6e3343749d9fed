"""Interruptions of the main thread, as a signal or an `execution_timeout` makes them.

Other threads are not touched: what they were handed they carry out and record.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

#: The modules in which the main thread hands documents over and takes results back.
_LOOP = ("billing/send_queue.py", "billing/run.py", "billing/sender.py")
_ALL = ("airflow_provider_rma/billing/",)

#: Where an interruption can fall: on a line of the whole run, on a line of the sending loop, or while a lane is at a
#: point.
SCOPES = ("line", "loop line", "point")

#: Seconds for which a lane waits until the main thread has taken notice.
_NOTICE = 10


class Interrupted(BaseException):
    """Raised in the main thread."""


@dataclass
class Interruption:
    """One interruption of one worker.

    :param scope: one of ``SCOPES``.
    :param nth: at which line, or passage of the point, from 1.
    :param point: a point that a worker passes.
    :ivar happened: whether it came to that.
    """

    scope: str
    nth: int
    point: str = ""
    happened: bool = False
    _thread: int = 0
    _stop: threading.Event | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def arm(self, stop: threading.Event) -> Iterator[None]:
        """Let it happen in this thread within the block.

        :param stop: the run's event that the main thread sets when it was interrupted while documents are sent.
        """
        self._thread, self._stop = threading.get_ident(), stop
        if self.scope == "point":
            with self._handle_signal():
                yield
            return
        sys.settrace(self._trace(_ALL if self.scope == "line" else _LOOP))
        try:
            yield
        finally:
            sys.settrace(None)

    def at(self, point: str) -> None:
        """Pass a point, in whichever thread."""
        with self._lock:
            if self.scope != "point" or point != self.point or self._stop is None:
                return
            self.nth -= 1
            if self.nth:
                return
        if threading.get_ident() == self._thread:
            self.happened = True
            raise Interrupted
        if self._thread == threading.main_thread().ident:
            self.happened = True
            signal.pthread_kill(self._thread, signal.SIGUSR1)
            # So that what comes next does not depend on which of the two threads is faster.
            self._stop.wait(_NOTICE)

    @contextmanager
    def _handle_signal(self) -> Iterator[None]:
        if self._thread != threading.main_thread().ident:
            yield
            return

        def interrupt(*_: Any) -> None:
            raise Interrupted

        before = signal.signal(signal.SIGUSR1, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGUSR1, before)

    def _trace(self, places: tuple[str, ...]) -> Callable[[FrameType, str, Any], Any]:
        def trace(frame: FrameType, event: str, _: Any) -> Any:
            if not any(place in frame.f_code.co_filename for place in places):
                return None
            if event == "line":
                self.nth -= 1
                if self.nth == 0:
                    self.happened = True
                    raise Interrupted
            return trace

        return trace
