"""The steps of every client method: send a request, decode its response, report unknown fields."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, Self

from airflow_provider_rma.client.codecs.wire import ContentType, Mapped
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.endpoint import Endpoint
from airflow_provider_rma.client.errors import unexpected_error
from airflow_provider_rma.client.responses import Response
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.client.stream import Entity, EntityStream, RawResponse, Stopwatch
from airflow_provider_rma.client.transport import Transport
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.formatting import format_count
from airflow_provider_rma.schemas.keys import normalize_key

log = logging.getLogger(__name__)


class BaseClient:
    """A connection to one tenant; a context manager.

    :param config: the connection.
    :param retry: policy for reads.
    :param sleep: how to wait between tries.
    :ivar unknown_fields: paths of fields that responses held and nobody has documented, e.g. ``invoice.parts.colour``;
        the first hundred.
    """

    def __init__(
        self, config: ClientConfig, *, retry: RetryPolicy | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.config = config
        self.unknown_fields: set[str] = set()
        self._reports = 0
        self._lock = threading.Lock()
        self._transport = Transport(config, retry=retry, sleep=sleep)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _list(
        self,
        endpoint: Endpoint,
        content_type: ContentType | None,
        query: Mapping[str, Any] | None = None,
        *,
        most: int | None = None,
    ) -> list[Entity]:
        """Read a list as a whole.

        :param most: entities that it may have; None for any number.
        """
        form = content_type or self.config.content_type
        request = endpoint.request(form, query=query)

        def decode(response: Response) -> list[Entity]:
            # One by one: what is no entity ends it at once, however many there are.
            stopwatch = Stopwatch(self.config.read_deadline)
            stopwatch.run()
            convert = partial(self._entity, endpoint)
            with EntityStream(endpoint, request, response, form, convert, stopwatch=stopwatch) as stream:
                entities = list(islice(stream, most and most + 1))
            if most and len(entities) > most:
                raise unexpected_error(f"the response lists more than {format_count(most)} entries")
            return entities

        return self._transport.read(request, decode)

    def _get(self, endpoint: Endpoint, key: str, number: str, content_type: ContentType | None) -> Entity:
        form = content_type or self.config.content_type

        def decode(response: Response) -> Entity:
            mapped = endpoint.decode(response.read(), response.content_type(form))
            response.close()
            entity = self._entity(endpoint, mapped)
            if normalize_key(str(entity[key])) != normalize_key(number):
                raise unexpected_error(
                    f"the response is another {endpoint.schema.entity} than the one that was asked for"
                )
            return entity

        return self._transport.read(endpoint.request(form, segments={key: number}), decode)

    def _open(
        self,
        endpoint: Endpoint,
        content_type: ContentType | None,
        segments: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> RawResponse:
        form = content_type or self.config.content_type
        request = endpoint.request(form, segments=segments, query=query)
        convert, seconds = partial(self._entity, endpoint), self.config.read_deadline
        return self._transport.read(
            request, lambda response: RawResponse(endpoint, request, response, form, convert, seconds)
        )

    def _iterate(
        self,
        endpoint: Endpoint,
        content_type: ContentType | None,
        query: Mapping[str, Any] | None = None,
    ) -> EntityStream:
        return self._open(endpoint, content_type, query=query).entities()

    def _post(
        self,
        endpoint: Endpoint,
        entity: Mapping[str, Any],
        content_type: ContentType | None,
        *,
        experimental: bool = False,
    ) -> None:
        """Send an entity, once. What a success says beside is not looked at."""
        _check_evidence(endpoint, experimental=experimental)
        self._transport.write(endpoint.request(content_type or self.config.content_type, entity=entity), Response.close)

    def _pay(
        self, endpoint: Endpoint, number: str, entity: Mapping[str, Any], content_type: ContentType | None
    ) -> Entity | None:
        """Post a payment, once, and read the payment that the service returns."""
        asked = content_type or self.config.content_type
        request = endpoint.request(asked, segments={"invnumber": number}, entity=entity)
        return self._transport.write(request, partial(self._read_posted, endpoint, asked))

    def _post_form(
        self, endpoint: Endpoint, form: tuple[bytes, str], content_type: ContentType | None
    ) -> Entity | None:
        """Send a form, once. Returns the entity of the response; None if it has no content, or none is documented."""
        asked = content_type or self.config.content_type
        return self._transport.write(endpoint.request(asked, form=form), partial(self._read_posted, endpoint, asked))

    def _read_posted(self, endpoint: Endpoint, asked: ContentType, response: Response) -> Entity | None:
        """Read the entity that a write returns."""
        if endpoint.response_root is None or response.is_empty():
            return None
        mapped = endpoint.decode(response.read(), response.content_type(asked))
        if not set(mapped) & set(endpoint.schema.fields):
            raise unexpected_error(f"the response holds nothing of a {endpoint.schema.entity}")
        return self._entity(endpoint, mapped)

    def _entity(self, endpoint: Endpoint, mapped: Mapped) -> Entity:
        found: set[str] = set()
        entity = endpoint.schema.from_wire(mapped, unknown_fields=found)
        if found:
            self._report_unknown(endpoint.schema.entity, found)
        return entity

    def _report_unknown(self, entity: str, found: set[str]) -> None:
        with self._lock:
            new = sorted({f"{entity}.{path}" for path in found} - self.unknown_fields)
            new = new[: _MOST_KEPT - len(self.unknown_fields)]
            self.unknown_fields.update(new)
            is_quiet = self._reports >= _MOST_REPORTS
            self._reports += bool(new)
        if new and not is_quiet:
            shown = dict.fromkeys(_show_path(path) for path in new[:_MOST_SHOWN])
            more = f" and {len(new) - _MOST_SHOWN} more" if len(new) > _MOST_SHOWN else ""
            log.warning("The service sends a field that is not documented: %s%s. It is kept.", ", ".join(shown), more)


#: Most paths of undocumented fields that a client keeps, warnings about them, and paths that a warning shows.
_MOST_KEPT, _MOST_REPORTS, _MOST_SHOWN = 100, 5, 5
_FIELD_NAME = re.compile(r"@?[A-Za-z_][A-Za-z0-9_-]{0,31}")


def _check_evidence(endpoint: Endpoint, *, experimental: bool) -> None:
    """Refuse a write that nobody has documented or seen, unless it is asked for."""
    if not endpoint.is_inferred:
        return
    if not experimental:
        raise ConfigurationError(
            f"to {endpoint.name} is not documented by RMA ({endpoint.evidence}); nothing was sent.",
            advice="Try it on a test tenant with experimental=True, and look at the result in RMA.",
            method=endpoint.method,
            path=endpoint.path,
        )
    log.warning(
        "%s %s is experimental: to %s is not documented by RMA (%s). Look at the result in RMA.",
        endpoint.method,
        endpoint.path,
        endpoint.name,
        endpoint.evidence,
    )


def _show_path(path: str) -> str:
    """A path for the log. A name that is none of a field may be anything, a person's name too: it is not shown."""
    return ".".join(name if _FIELD_NAME.fullmatch(name) else "(unusual name)" for name in path.split("."))
