"""Both content types meet here: bytes to the mapped form and back, whole or streaming.

Decoding knows four ways in which a response is not data, each with its exception: it ended early
(:class:`IncompleteResponseError`), it is something else, such as an HTML page or another root
(:class:`UnexpectedResponseError`), it is the service's own error body (:class:`RejectedError`, with the text in
``server_message``), or it breaks a limit (:class:`UnexpectedResponseError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from airflow_provider_rma.client.codecs.json import decode_json, encode_json
from airflow_provider_rma.client.codecs.wire import MAX_BYTES, ContentType, Mapped, flat_text
from airflow_provider_rma.client.codecs.xml import XmlItems, decode_xml, encode_xml
from airflow_provider_rma.client.errors import rejected_error, too_large_error, unexpected_error
from airflow_provider_rma.exceptions import RequestError

#: The member with which a list announces how many entries it has (documented for postings).
COUNT = "number_of_transaction"

#: Stands for a root element whose name nobody has documented.
ANY_ROOT = "*"

#: More digits are no count of anything; Python refuses to convert thousands of them.
_MAX_COUNT_DIGITS = 12

#: A longer body is not searched for the service's error text.
_ERROR_BYTES = 256 * 1024


def decode(body: bytes, content_type: ContentType, root: str) -> Mapped:
    """Bytes of one response as the mapped form.

    :param root: tag of the XML root, e.g. ``invoices``, or ``ANY_ROOT``; JSON has none (seen in clients).
    :raises RejectedError: if the body is the service's error.
    :raises IncompleteResponseError: if it ended early or is empty.
    :raises UnexpectedResponseError: for anything else that is not documented.
    """
    if len(body) > MAX_BYTES:
        raise too_large_error(MAX_BYTES)
    if content_type == "json":
        value = decode_json(body)
        text = _json_error(value)
        if text is not None:
            raise rejected_error(text)
        return value
    tag, content = decode_xml(body, _expect(root))
    if tag == "error":
        raise rejected_error(flat_text(content))
    if isinstance(content, str):
        if content.strip():
            raise unexpected_error("the response's root element holds text in place of elements")
        return {}
    return content  # type: ignore[no-any-return]


def encode(mapped: Mapped, content_type: ContentType, root: str) -> bytes:
    """The mapped form as the body of a request.

    :raises InvalidInputError: for text that cannot be carried, with the path of each field.
    """
    return encode_json(mapped, root) if content_type == "json" else encode_xml(mapped, root)


def error_text(body: bytes) -> str | None:
    """The service's own error text, whatever content type was asked for; None if the body is not its error form.

    The forms are ``{"error": "…"}`` without any other member, and an ``<error>`` element as the root or alone below it
    (seen in clients). Texts are German: a body that is not UTF-8 is read as Latin-1.
    """
    body = _to_utf8(body.removeprefix(b"\xef\xbb\xbf").strip())
    if len(body) > _ERROR_BYTES or body[:1] not in (b"{", b"<"):
        return None
    try:
        if body.startswith(b"{"):
            return _json_error(decode_json(body))
        tag, content = decode_xml(body, lambda _tag: None)
    except RequestError:
        return None
    if tag == "error":
        return flat_text(content)
    if isinstance(content, dict) and [name for name in content if not name.startswith("@")] == ["error"]:
        return flat_text(content["error"])
    return None


def _to_utf8(body: bytes) -> bytes:
    try:
        body[: _ERROR_BYTES + 1].decode()
    except UnicodeDecodeError:
        return body.decode("latin-1").encode() if len(body) <= _ERROR_BYTES else body
    return body


def is_readable(body: bytes) -> bool:
    """Whether a body is a whole JSON object or XML document, whatever it says."""
    try:
        if body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
            decode_xml(body, lambda _tag: None)
        else:
            decode_json(body)
    except RequestError:
        return False
    return True


def _json_error(value: Mapped) -> str | None:
    text = value.get("error")
    return text if isinstance(text, str) and len(value) == 1 else None


def _expect(root: str) -> Callable[[str], None]:
    def check(tag: str) -> None:
        if root != ANY_ROOT and tag not in (root, "error"):
            raise unexpected_error(f"the response's root element is not <{root}>")

    return check


def list_items(mapped: Mapped, item: str) -> list[Any]:
    """The members of a list response: one, several, or none in any of its spellings.

    :raises UnexpectedResponseError: if the response has members beside the list and attributes: then it is not a list,
        and an empty one would be a lie.
    """
    if any(name != item and not name.startswith("@") and name != COUNT for name in mapped):
        raise unexpected_error("the response holds something else than the list that was asked for")
    content = mapped.get(item)
    if content is None or content == "" or content == {}:
        return []
    return content if isinstance(content, list) else [content]


def read_attributes(mapped: Mapped, item: str) -> dict[str, str]:
    """The members of a list response beside the list: its attributes, without ``@``.

    :raises UnexpectedResponseError: if one is no text, or is stated twice with different values.
    """
    found: dict[str, str] = {}
    for name, value in mapped.items():
        key = name.removeprefix("@")
        if name == item:
            continue
        if value is None:
            value = ""
        if not isinstance(value, str) or key == item:
            raise unexpected_error("the response states something beside the list that is no text")
        if found.setdefault(key, value).strip() != value.strip():
            raise unexpected_error("the response states the same thing beside the list twice, with different values")
    return found


def parse_count(text: str) -> int | None:
    """Parse the count that a list announces; None if it announces none.

    :raises UnexpectedResponseError: if it is no count.
    """
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_COUNT_DIGITS):
        raise unexpected_error(f"the response announces a number of entries that is no number ({COUNT})")
    return int(text)


class _Items(Protocol):
    @property
    def attributes(self) -> dict[str, str]: ...

    def __iter__(self) -> Iterator[Any]: ...


class _JsonItems:
    """The list of a JSON response; the body is held as a whole."""

    def __init__(self, chunks: Iterable[bytes], root: str, item: str) -> None:
        self._chunks, self._root, self._item = chunks, root, item
        self.attributes: dict[str, str] = {}

    def __iter__(self) -> Iterator[Any]:
        body = bytearray()
        for chunk in self._chunks:
            body += chunk
            if len(body) > MAX_BYTES:
                raise too_large_error(MAX_BYTES)
        mapped = decode(bytes(body), "json", self._root)
        items = list_items(mapped, self._item)
        self.attributes = read_attributes(mapped, self._item)
        yield from items


class ItemStream:
    """Objects of a list response, one at a time.

    Iteration raises at the end if the document was incomplete: a caller that uses objects before the last was
    delivered must be able to undo it.

    :ivar count: objects delivered so far.
    """

    def __init__(self, source: _Items) -> None:
        self._source = source
        self.count = 0

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the root, without ``@``; known from the first object on."""
        return self._source.attributes

    def __iter__(self) -> Iterator[Mapped]:
        for value in self._source:
            if not isinstance(value, dict):
                raise unexpected_error("the list holds something that is no object")
            self.count += 1
            yield value


def iter_decode(chunks: Iterable[bytes], content_type: ContentType, root: str, item: str) -> ItemStream:
    """Decode a list response object by object.

    XML is parsed incrementally and needs the memory of one object; JSON is held as a whole.

    :param chunks: the body in pieces of any size.
    :param root: tag of the XML root, e.g. ``transactions``.
    :param item: name of the repeated member, e.g. ``transaction``.
    """
    return ItemStream(
        _JsonItems(chunks, root, item) if content_type == "json" else XmlItems(chunks, _expect(root), item)
    )
