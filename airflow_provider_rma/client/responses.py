"""Reading one response to its proven end, and holding it."""

from __future__ import annotations

import http.client
import io
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Protocol

import requests
import urllib3.exceptions

from airflow_provider_rma.client.codecs.bodies import error_text, is_readable
from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.client.errors import incomplete_error, too_large_error, unexpected_error
from airflow_provider_rma.client.temporary import translate_disk_errors

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Responses beyond this many bytes wait in an anonymous temporary file, so that memory stays flat.
_IN_MEMORY = 8 * 1024 * 1024
_CHUNK = 64 * 1024

#: No response may be larger than this once decompressed.
MAX_RESPONSE = 4 * 1024 * 1024 * 1024

#: A response that grows beyond these bytes when it is decompressed, to so many times its size, is no list of anything:
#: real ones shrink to a tenth or a fiftieth.
_BOMB_BYTES, _BOMB_RATIO = 64 * 1024 * 1024, 400

#: What can go wrong on the wire while a response is read.
WIRE_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


Body = tempfile.SpooledTemporaryFile[bytes]


class Response:
    """A response that has arrived whole.

    :param status: HTTP status.
    :param media_type: of the ``Content-Type`` header, lower case, without parameters; empty if there was none.
    :param retry_after: seconds that the ``Retry-After`` header asks for, None if it says nothing usable.
    :param date: the service's clock by the ``Date`` header, None if it says nothing usable.
    """

    def __init__(
        self,
        status: int,
        media_type: str,
        body: Body,
        retry_after: float | None = None,
        date: datetime | None = None,
    ) -> None:
        self.status = status
        self.media_type = media_type
        self.retry_after = retry_after
        self.date = date
        self._body = body
        self.size = body.tell()
        self._in_memory = self.size <= _IN_MEMORY

    def read(self) -> bytes:
        """The whole body."""
        with translate_disk_errors():
            self._body.seek(0)
            return self._body.read()

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces, from its beginning."""
        position = 0
        while chunk := self._read_at(position):
            position += len(chunk)
            yield chunk

    def _read_at(self, position: int) -> bytes:
        with translate_disk_errors():
            self._body.seek(position)
            return self._body.read(_CHUNK)

    def reader(self) -> IO[bytes]:
        """The body as a file of its own, from its beginning: another position than all others, for any thread.

        It must be closed, and stays usable when the response is closed.
        """
        if self._in_memory:
            return io.BytesIO(self.read())
        with translate_disk_errors():
            return io.BufferedReader(_PositionedReader(os.dup(self._body.fileno())), _CHUNK)

    def path(self) -> str | None:
        """A path under which the body can be opened until this is closed; None if it is in memory, or has none here."""
        if self._in_memory:
            return None
        path = f"/proc/self/fd/{self._body.fileno()}"
        return path if os.path.exists(path) else None

    def to_disk(self) -> None:
        """Move the body from memory to a temporary file."""
        if self._in_memory:
            with translate_disk_errors():
                self._body.rollover()
                # A small file waits in a buffer of the process, where nobody notices that the disk is full.
                self._body.flush()
            self._in_memory = False

    def error_text(self) -> str | None:
        """The service's own error text, None if the body is no error of the service."""
        return error_text(self.read()) if self.size < _IN_MEMORY else None

    def is_empty(self) -> bool:
        """Whether the body has nothing but blanks."""
        return self.size == 0 or (self.size < _CHUNK and not self.read().strip())

    def is_readable(self) -> bool:
        """Whether the body is a whole JSON object or XML document, whatever it says."""
        return is_readable(self.read())

    def is_html(self) -> bool:
        """Whether this is a page for people: nothing the service's interface ever sends."""
        if "html" in self.media_type:
            return True
        return self._read_at(0)[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))

    def content_type(self, asked: ContentType) -> ContentType:
        """How to decode: as the header says, and as was asked for if it says nothing known."""
        if self.media_type.endswith(("/json", "+json")):
            return "json"
        if self.media_type.endswith(("/xml", "+xml")):
            return "xml"
        return asked

    def close(self) -> None:
        # Closing writes what is still in a buffer, which nobody needs any more.
        with suppress(OSError):
            self._body.close()


class _PositionedReader(io.RawIOBase):
    """Reads a file that others read too, at a position of its own.

    :param descriptor: is closed with this.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with translate_disk_errors():
            count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def receive(raw: requests.Response, limit: int = MAX_RESPONSE) -> Response:
    """Read a response to its end and make sure that it is the end.

    requests alone would not notice a compressed stream that is cut off, nor (with urllib3 1.26) a body shorter than its
    ``Content-Length``.

    :raises IncompleteResponseError: if it ended early.
    :raises UnexpectedResponseError: if it is compressed in a way nobody asked for, or larger than ``limit``.
    :raises TemporaryFolderError: if there is no room for it.
    """
    body = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by Response.close()
    try:
        decoder = _make_decoder(raw.headers.get("Content-Encoding", ""))
        size = sent = 0
        for chunk in _wire_chunks(raw):
            sent += len(chunk)
            for piece in decoder.pieces(chunk):
                size += len(piece)
                if size > limit:
                    raise too_large_error(limit)
                if size > _BOMB_BYTES and size > _BOMB_RATIO * sent:
                    raise unexpected_error(f"the response is compressed more than {_BOMB_RATIO} times")
                with translate_disk_errors():
                    body.write(piece)
        decoder.finish()
        with translate_disk_errors():
            body.flush()
    except BaseException:
        with suppress(OSError):
            body.close()
        raise
    media_type = raw.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    headers = raw.headers
    return Response(
        raw.status_code,
        media_type,
        body,
        parse_retry_after(headers.get("Retry-After")),
        parse_http_date(headers.get("Date")),
    )


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Parse a ``Retry-After`` header in either of its forms, a number of seconds or an HTTP date.

    :param now: the present, with a zone.
    :returns: seconds; None if the header says nothing usable.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip(), re.ASCII):
        return float(value)
    instant = parse_http_date(value)
    return None if instant is None else max(0.0, (instant - (now or datetime.now(UTC))).total_seconds())


def parse_http_date(value: str | None) -> datetime | None:
    """Parse an HTTP date; None if there is none that can be read."""
    try:
        instant = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _wire_chunks(raw: requests.Response) -> Iterator[bytes]:
    """The bytes of the body as they are on the wire; complains if there are fewer than announced."""
    announced = raw.headers.get("Content-Length", "")
    chunked = "Transfer-Encoding" in raw.headers
    received = 0
    for chunk in raw.raw.stream(_CHUNK, decode_content=False):
        received += len(chunk)
        yield chunk
    if announced.isascii() and announced.isdigit() and not chunked and _has_body(raw) and received < int(announced):
        raise incomplete_error("HTTP", f": {received} of {announced} bytes came")


def _has_body(raw: requests.Response) -> bool:
    return raw.status_code not in (204, 304)


class _Decoder(Protocol):
    def pieces(self, chunk: bytes) -> Iterator[bytes]: ...

    def finish(self) -> None: ...


class _PlainDecoder:
    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def finish(self) -> None:
        """Nothing to check: the end is judged by length and by the document itself."""


class _GzipDecoder:
    """Strict: every member must reach its end and its checksum must hold."""

    def __init__(self) -> None:
        self._member = self._new()
        self._begun = False

    @staticmethod
    def _new() -> zlib._Decompress:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._member.eof:
                self._member = self._new()
            self._begun = True
            try:
                piece = self._member.decompress(chunk, _CHUNK)
            except zlib.error:
                piece, damaged = b"", True
            else:
                damaged = False
            if damaged:
                raise incomplete_error("gzip", ": its compressed data is damaged")
            yield piece
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> None:
        if self._begun and not self._member.eof:
            raise incomplete_error("gzip")


def _make_decoder(encoding: str) -> _Decoder:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _PlainDecoder()
    if encoding in ("gzip", "x-gzip"):
        return _GzipDecoder()
    raise unexpected_error("the response is compressed in a way that was not asked for")
