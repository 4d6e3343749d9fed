"""An iterator that works ahead of its reader, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

#: Items that may wait for the reader.
_WAITING = 3


class Ahead(Generic[T]):
    """The items of an iterator that is advanced by a thread; a context manager. Pays where the iterator does without
    Python's lock most of the time.

    :param items: makes the iterator; called in the thread.
    """

    def __init__(self, items: Callable[[], Iterator[T]]) -> None:
        self._items = items
        self._ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(_WAITING)
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rma-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._given_up.set()
        while self._thread.is_alive():
            # The thread may be waiting for room.
            while not self._ready.empty():
                self._ready.get_nowait()
            self._thread.join(0.01)

    def __iter__(self) -> Iterator[T]:
        """The items; what the iterator raises is raised here.

        None of the items may be None.
        """
        while True:
            item, error = self._ready.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items():
                self._ready.put((item, None))
                if self._given_up.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001  raised again where it is waited for
            error = raised
        self._ready.put((None, error))
