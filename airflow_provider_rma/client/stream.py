"""A long list response as its entities, one at a time, or as its bytes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import IO, Any, Self

from airflow_provider_rma.client.codecs.bodies import COUNT, parse_count
from airflow_provider_rma.client.codecs.wire import ContentType, Mapped
from airflow_provider_rma.client.endpoint import Endpoint, Request
from airflow_provider_rma.client.errors import attach_request, count_mismatch_error, too_slow_error
from airflow_provider_rma.client.responses import Response
from airflow_provider_rma.exceptions import RequestError

Entity = dict[str, Any]


class Stopwatch:
    """Measures how long a response is being decoded, without the time that its reader takes for other things.

    :param seconds: how long it may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._spent = 0.0
        self._since: float | None = None

    def run(self) -> None:
        """Decoding goes on."""
        self._since = time.monotonic()

    def pause(self) -> None:
        """Decoding is interrupted.

        :raises UnexpectedResponseError: it has taken too long.
        """
        self.check()
        if self._since is not None:
            self._spent += time.monotonic() - self._since
            self._since = None

    def check(self) -> None:
        """:raises UnexpectedResponseError: decoding has taken too long."""
        running = time.monotonic() - self._since if self._since is not None else 0.0
        if self._spent + running > self._seconds:
            raise too_slow_error(self._seconds)

    def watch(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Check the time before each piece of a body."""
        for chunk in chunks:
            self.check()
            yield chunk


class EntityStream:
    """An iterator of entities that closes its response when it is used up; a context manager for leaving early.

    The response has arrived whole before the first entity is handed out (it waits in a temporary file if it is large),
    but whether the document is complete shows at its end only: :class:`IncompleteResponseError` may come after the last
    entity.

    :param skip: how many entities to leave out at the beginning; they are counted, and not converted.
    :param stopwatch: bounds the time of decoding.
    :ivar count: entities passed so far.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        response: Response,
        content_type: ContentType,
        convert: Callable[[Mapped], Entity],
        skip: int = 0,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._request = request
        self._response = response
        chunks = stopwatch.watch(response.chunks()) if stopwatch is not None else response.chunks()
        self._items = endpoint.iter_decode(chunks, response.content_type(content_type))
        self._convert = convert
        self._skip = skip
        self._entities = self._iterate()
        self.count = 0

    @property
    def announced(self) -> int | None:
        """How many entities the service announced (``number_of_transaction``); None if it did not, or nothing has been
        read yet.

        :raises UnexpectedResponseError: if it announced something that is no count.
        """
        try:
            return announced_count(self._items.attributes)
        except RequestError as error:
            attach_request(error, self._request, self._response.status)
            raise

    def close(self) -> None:
        """Give up the rest."""
        self._entities.close()
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Entity]:
        return self

    def __next__(self) -> Entity:
        return next(self._entities)

    def _iterate(self) -> Generator[Entity, None, None]:
        try:
            for mapped in self._items:
                if self.count < self._skip:
                    self.count += 1
                    continue
                entity = self._convert(mapped)
                self.count += 1
                yield entity
            self._check_count()
        except RequestError as error:
            attach_request(error, self._request, self._response.status)
            raise
        finally:
            self._response.close()

    def _check_count(self) -> None:
        announced = self.announced
        if announced is not None and announced != self.count:
            raise count_mismatch_error(announced, self.count)


def announced_count(attributes: Mapping[str, str]) -> int | None:
    """How many entities the attributes of a list response announce; None if they do not."""
    return parse_count(attributes.get(COUNT, ""))


class RawResponse:
    """The bytes of a long list response that has arrived whole, for callers with a decoder of their own; a
    context manager.

    Length and compression have been checked, the document has not: :meth:`entities` checks everything.

    :param convert: turns the mapped form of an entity into the entity.
    :ivar seconds: how long its decoding may take.
    :ivar content_type: how the bytes are to be decoded.
    :ivar stopwatch: bounds the time of decoding; whoever decodes runs and pauses it.
    :ivar size: bytes of the decompressed body.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        response: Response,
        content_type: ContentType,
        convert: Callable[[Mapped], Entity],
        seconds: float = math.inf,
    ) -> None:
        self.seconds, self.stopwatch = seconds, Stopwatch(seconds)
        self._endpoint = endpoint
        self._request = request
        self._response = response
        self.content_type = response.content_type(content_type)
        self.size = response.size
        self.convert = convert

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the response; its body is gone then."""
        self._response.close()

    def to_disk(self) -> None:
        """Move the body to a temporary file even if it is small, for callers that hold many."""
        self._response.to_disk()

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces, from its beginning."""
        return self._response.chunks()

    def reader(self) -> IO[bytes]:
        """The body as a file with a position of its own, for any thread; to be closed by the caller."""
        return self._response.reader()

    def path(self) -> str | None:
        """A path under which the body can be opened until this is closed; None if there is none."""
        return self._response.path()

    def entities(self, skip: int = 0) -> EntityStream:
        """The entities, decoded and checked one by one; afterwards the response is closed.

        :param skip: how many to leave out at the beginning.
        """
        return EntityStream(
            self._endpoint, self._request, self._response, self.content_type, self.convert, skip, self.stopwatch
        )
