"""Entities of a long list answer, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Self

from airflow_provider_rma.client.answer import Answer
from airflow_provider_rma.client.classify import of_request
from airflow_provider_rma.client.codecs import ContentType, Mapped
from airflow_provider_rma.client.endpoints import Endpoint, Request
from airflow_provider_rma.exceptions import IncompleteAnswerError, RequestError

Entity = dict[str, Any]


class EntityStream:
    """An iterator of entities that closes its answer when it is used up; a context manager for leaving early.

    The answer has arrived whole before the first entity is handed out (it waits in a temporary file if it is large),
    but whether the document is complete shows at its end only: :class:`IncompleteAnswerError` may come after the last
    entity.

    :ivar count: entities handed out so far.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        answer: Answer,
        content_type: ContentType,
        convert: Callable[[Mapped], Entity],
    ) -> None:
        self._request = request
        self._answer = answer
        self._items = endpoint.iter_decode(answer.chunks(), answer.content_type(content_type))
        self._convert = convert
        self._rows = self._run()
        self.count = 0

    @property
    def announced(self) -> int | None:
        """How many entities the service announced (``number_of_transaction``); None if it did not, or nothing has been
        read yet."""
        text = self._items.attributes.get("number_of_transaction", "").strip()
        return int(text) if text.isascii() and text.isdigit() else None

    def close(self) -> None:
        """Give up the rest."""
        self._rows.close()
        self._answer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Entity]:
        return self

    def __next__(self) -> Entity:
        return next(self._rows)

    def _run(self) -> Generator[Entity, None, None]:
        try:
            for mapped in self._items:
                entity = self._convert(mapped)
                self.count += 1
                yield entity
            self._check_count()
        except RequestError as error:
            of_request(error, self._request, self._answer.status)
            raise
        finally:
            self._answer.close()

    def _check_count(self) -> None:
        announced = self.announced
        if announced is not None and announced != self.count:
            raise IncompleteAnswerError(
                f"the service announced {announced} entries and sent {self.count}",
                advice="Undo what was done with them, and read again.",
            )
