"""An operation of the documented interface, and the request that it performs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.uploads import Upload
from airflow_provider_rma.simulator.http import wire
from airflow_provider_rma.simulator.http.parse import read_boolean, read_query_day
from airflow_provider_rma.simulator.http.responses import Result
from airflow_provider_rma.simulator.settings import Settings


@dataclass(frozen=True)
class ApiRequest:
    """A request, found admissible and read.

    :param params: parts of the path, such as ``number``.
    :param query: query parameters.
    :param content: the body, read.
    :param settings: the switches.
    :param token: name of the key that opened the tenant.
    :param form: fields of a form.
    :param upload: an uploaded file.
    """

    params: Mapping[str, str]
    query: Mapping[str, str]
    content: wire.Mapped
    settings: Settings
    token: str = ""
    form: Sequence[tuple[str, str]] = ()
    upload: Upload | None = None

    def day(self, name: str, default: date | None = None) -> str | None:
        """Read a date parameter as ISO text; empty counts as absent."""
        given = self.query.get(name)
        found = read_query_day(given, name, self.settings.day) if given else default
        return found.isoformat() if found else None

    def flag(self, name: str, *, default: bool) -> bool:
        """Read a ``true``/``false`` parameter."""
        return read_boolean(self.query.get(name, ""), name, default=default)


@dataclass(frozen=True)
class Operation:
    """One documented method and path.

    :param path: parts below the tenant; ``{name}`` stands for any one part.
    :param request_class: what faults are switched by.
    :param body_root: XML root of the body, for a POST.
    :param form: media type of the body, where it is a form.
    :param media_type: of the response, where it is a document for people.
    :param is_stateful: a GET that changes something.
    """

    method: str
    path: tuple[str, ...]
    request_class: str
    perform: Callable[[Books, ApiRequest], Result]
    body_root: str | None = None
    form: str | None = None
    media_type: str | None = None
    is_stateful: bool = False

    @property
    def template(self) -> str:
        """The path as text."""
        return "/" + "/".join(self.path)

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Return the parameters that a path holds, or ``None`` if it does not fit.

        :param parts: the path below the tenant, without a trailing slash.
        """
        if len(parts) != len(self.path):
            return None
        found = {}
        for expected, part in zip(self.path, parts, strict=True):
            if expected.startswith("{"):
                found[expected.strip("{}")] = part
            elif expected != part:
                return None
        return found
