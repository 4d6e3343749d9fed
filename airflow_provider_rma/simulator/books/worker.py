"""Threads that work on the books: one writes and begins every read, one goes on with long reads.

Every read begins between two postings, never beside one, so that the number of rows that a response announces is the
number it holds. A long list keeps the view of the books it began with, whatever is posted while it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from airflow_provider_rma.simulator.books.books import Books

T = TypeVar("T")


class BooksWorker:
    """The books of one tenant, for use from the event loop.

    :param books: the books; closed with the worker.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="books")
        self._long_reads = ThreadPoolExecutor(1, thread_name_prefix="books-long-reads")

    async def work(self, task: Callable[[Books], T]) -> T:
        """Run a task on the books, one after the other; what it began it finishes, even if nobody waits."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, task, self._books)

    async def stream(self, task: Callable[[Books], Iterator[bytes]]) -> AsyncIterator[bytes]:
        """Run a task that yields pieces, one piece at a time."""
        loop = asyncio.get_running_loop()

        def begin() -> tuple[bytes | None, Iterator[bytes]]:
            pieces = task(self._books)
            return next(pieces, None), pieces

        piece, pieces = await loop.run_in_executor(self._writer, begin)
        try:
            while piece is not None:
                yield piece
                piece = await loop.run_in_executor(self._long_reads, next, pieces, None)
        finally:
            if hasattr(pieces, "close"):
                self._long_reads.submit(pieces.close)

    def close(self) -> None:
        """Finish what is being written and close the books."""
        self._writer.shutdown()
        self._long_reads.shutdown()
        self._books.close()
