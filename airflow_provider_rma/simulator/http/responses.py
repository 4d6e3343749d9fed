"""Content of a response, and how it becomes bytes in the form the client asked for."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from starlette.responses import Response

from airflow_provider_rma.simulator.http import wire
from airflow_provider_rma.simulator.settings import Settings

XML = "application/xml"
JSON = "application/json"


@dataclass
class WireEntity:
    """One entity.

    :param root: XML root (JSON drops it).
    :param tree: its content.
    """

    root: str
    tree: wire.Tree


@dataclass
class WireFile:
    """A document for people."""

    content: bytes
    media_type: str


Result: TypeAlias = WireEntity | wire.Listing | WireFile | None
"""Content of a response; ``None`` is 204 without content."""


class ResponseError(Exception):
    """A request that gets an error response: status and German text."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = headers or {}


def write_pieces(result: WireEntity | wire.Listing, media: str, settings: Settings) -> Iterator[bytes]:
    """Write the result in ``media``, in pieces.

    :param settings: the forms of lists in JSON.
    """
    empty = settings.empty_list
    if isinstance(result, WireEntity):
        texts = wire.write_xml(result.root, result.tree) if media == XML else wire.write_json(result.tree, empty)
    else:
        texts = (
            wire.write_xml_list(result)
            if media == XML
            else wire.write_json_list(result, empty, always_array=settings.list_of_one == "array")
        )
    return wire.encode_pieces(texts)


def error_body(text: str, media: str) -> bytes:
    """An error in the form the client asked for: ``{ "error": "..." }`` or an ``error`` element."""
    if media == JSON:
        return f'{{ "error": {json.dumps(text, ensure_ascii=False)} }}'.encode()
    return (wire.XML_DECLARATION + f"<error>{wire.escape(text)}</error>").encode()


def error_response(form: str, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Build an error response in the form the client asked for."""
    return Response(error_body(text, form), status, headers=headers, media_type=form)


def compress(plain: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces as one gzip stream."""
    squeezing = zlib.compressobj(wbits=31)
    for piece in plain:
        yield squeezing.compress(piece) + squeezing.flush(zlib.Z_SYNC_FLUSH)
    yield squeezing.flush()


def choose_form(accept: str) -> str:
    """XML or JSON, by the ``Accept`` header: XML unless JSON is preferred; 406 when neither is accepted."""
    best, form = 0.0, None
    for entry in accept.split(",") if accept.strip() else ["*/*"]:
        media, *parameters = (text.strip().lower() for text in entry.split(";"))
        wanted = {JSON: JSON, XML: XML, "text/xml": XML, "*/*": XML, "application/*": XML}.get(media)
        weight = _weight(parameters)
        if wanted and weight > best:
            best, form = weight, wanted
    if form is None:
        raise ResponseError(406, "Das verlangte Format wird nicht angeboten, nur application/xml und application/json.")
    return form


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
