"""XML to the mapped form and back, with lxml.

In: strictly UTF-8 (documented), no DTD, hence no entities, nothing loaded from anywhere, no recovery, limits on depth;
the root must be closed and nothing may follow it. Comments and processing instructions are ignored. An element in a
namespace is refused, an attribute in one (``xsi:type`` and the like) is dropped: the documented bodies have neither.
Out: escaped, UTF-8, and a character that XML 1.0 cannot carry is refused with the path of its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lxml import etree

from airflow_provider_rma.client.codecs.wire import MAX_DEPTH, Mapped, flat_text
from airflow_provider_rma.client.errors import (
    html_page_error,
    incomplete_error,
    rejected_error,
    too_deep_error,
    unexpected_error,
)
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError, RequestError

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_FEED = 64 * 1024

#: Elements inside one entry of a list, and attributes of one element; an invoice has some thirty for each of its lines.
_MAX_ELEMENTS, _MAX_ATTRIBUTES = 200_000, 1_000

#: Empty children of a root; an entity has some fifty members.
_MAX_EMPTY = 10_000

#: Bytes without the end of a tag. The parser keeps an unfinished tag in memory, at many times its size.
_MAX_GAP = 1024 * 1024


class _Frame:
    __slots__ = ("tag", "text", "value")

    def __init__(self, tag: str, value: Mapped) -> None:
        self.tag = tag
        self.value = value
        self.text: list[str] = []


class _Builder:
    """Target of lxml's parser: builds the mapped form while elements close.

    :param item: tag of the root's children to hand out one by one instead of collecting them; None collects everything.
    """

    def __init__(self, check_root: Callable[[str], None], item: str | None = None) -> None:
        self._check_root = check_root
        self._item = item
        self._stack: list[_Frame] = []
        self.items: list[Any] = []
        self.root: Any = None
        self.root_tag: str | None = None
        self.attributes: dict[str, str] = {}
        self.closed = False
        self._elements = self._empty = 0

    def doctype(self, name: str, *_: Any) -> None:
        if (name or "").lower() == "html":
            raise html_page_error()
        raise unexpected_error("the response has a document type declaration (DOCTYPE), which is refused")

    def start(self, tag: Any, attrib: Any) -> None:
        if tag.rpartition("}")[2].lower() == "html":
            raise html_page_error()
        if tag.startswith("{"):
            raise unexpected_error(
                "the response has elements in an XML namespace, which the interface does not document"
            )
        value: Mapped = {f"@{name}": str(text) for name, text in attrib.items() if not name.startswith("{")}
        if not self._stack:
            self._check_root(tag)
            self.root_tag = tag
            if tag == "error":
                self._item = None
            self.attributes = {name[1:]: text for name, text in value.items()}
        elif len(self._stack) >= MAX_DEPTH:
            raise too_deep_error(MAX_DEPTH)
        if len(self._stack) <= 1:
            self._elements = 0
        self._elements += 1
        if self._elements > _MAX_ELEMENTS or len(value) > _MAX_ATTRIBUTES:
            raise unexpected_error("the response has an entry with far more members than any documented one")
        self._stack.append(_Frame(tag, value))

    def data(self, data: Any) -> None:
        text: str = data
        # Blanks between the members of a streamed list would pile up in the root until its end.
        if self._stack and not (self._item is not None and len(self._stack) == 1 and text.isspace()):
            self._stack[-1].text.append(text)

    def end(self, tag: Any) -> None:
        frame = self._stack.pop()
        value = _finish(frame, is_root=not self._stack)
        if not self._stack:
            self.root, self.closed = value, True
        elif len(self._stack) == 1 and self._item is not None:
            if frame.tag != self._item:
                raise unexpected_error(
                    "the response holds something else than the elements of the list that was asked for"
                )
            self.items.append(value)
        else:
            if len(self._stack) == 1 and isinstance(value, str) and not value.strip():
                self._count_empty()
            _add(self._stack[-1].value, frame.tag, value)

    def _count_empty(self) -> None:
        """Count the empty children of the root: a list of nothing else would be decoded to its end in vain."""
        self._empty += 1
        if self._empty > _MAX_EMPTY:
            raise unexpected_error("the response consists of empty entries")

    def comment(self, text: Any) -> None:
        """Comments are ignored."""

    def close(self) -> None:
        """Called by lxml at the end of the document."""


def _finish(frame: _Frame, *, is_root: bool) -> Any:
    text = "".join(frame.text)
    if not frame.value:
        return text
    indented = is_root or any(not name.startswith("@") for name in frame.value)
    if text and not (indented and text.isspace()):
        frame.value["$"] = text
    return frame.value


def _add(parent: Mapped, tag: str, value: Any) -> None:
    if tag not in parent:
        parent[tag] = value
    elif isinstance(parent[tag], list):
        parent[tag].append(value)
    else:
        parent[tag] = [parent[tag], value]


class _Reader:
    """One incremental parse: feed bytes, then close."""

    def __init__(self, builder: _Builder) -> None:
        self.builder = builder
        self._seen = False
        self._last = b""
        self._gap = 0
        # encoding is forced: a body cannot smuggle a DOCTYPE past the builder in another one.
        self._parser = etree.XMLParser(
            target=builder,
            encoding="utf-8",
            # No entity can be declared, so only &amp; and its like are left; False would garble those in attributes.
            resolve_entities="internal",  # type: ignore[arg-type]
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            recover=False,
        )

    def feed(self, data: bytes) -> None:
        for start in range(0, len(data), _FEED):
            piece = data[start : start + _FEED]
            if not self._seen:
                self._check_start(piece)
            self._last = piece.rstrip()[-1:] or self._last
            end = piece.rfind(b">")
            self._gap = self._gap + len(piece) if end < 0 else len(piece) - end
            if self._gap > _MAX_GAP:
                raise unexpected_error("the response goes on for more than a megabyte without a tag")
            self._parse(lambda piece=piece: self._parser.feed(piece))  # type: ignore[misc]

    def _check_start(self, piece: bytes) -> None:
        head = piece.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not head:
            return
        self._seen = True
        if head[:14].lower() == b"<!doctype html":
            raise html_page_error()
        if not head.startswith(b"<"):
            raise unexpected_error("the response is not XML")

    def close(self) -> None:
        if not self._seen:
            raise incomplete_error("XML", ": it is empty")
        self._parse(self._parser.close, at_end=True)
        if not self.builder.closed:
            raise incomplete_error("XML")
        # After an error of namespaces, such as an undeclared prefix, lxml raises no other error either.
        if len(self._parser.feed_error_log.filter_from_errors()):
            raise unexpected_error("the response is not well-formed XML")

    def _parse(self, step: Callable[[], Any], at_end: bool = False) -> None:
        failure: RequestError
        try:
            step()
        except etree.XMLSyntaxError as error:
            # The parser's own text may quote the document, so only the place is kept.
            line = error.position[0] if error.position else 0
            if at_end and not self.builder.closed:
                failure = incomplete_error("XML", f" (line {line})")
            else:
                failure = unexpected_error(f"the response is not well-formed XML (line {line})")
        except RequestError as error:
            # At the end of the input the parser reports a start tag that was cut off as if it were whole.
            failure = incomplete_error("XML") if at_end and self._last != b">" else error
        else:
            return
        raise failure


def decode_xml(body: bytes, check_root: Callable[[str], None]) -> tuple[str, Any]:
    """One whole document: its root tag and the mapped form of what the root holds.

    :param check_root: called with the root's tag as soon as it is known; raises to refuse.
    """
    builder = _Builder(check_root)
    reader = _Reader(builder)
    reader.feed(body)
    reader.close()
    return builder.root_tag or "", builder.root


class XmlItems:
    """The repeated children of a root element, one at a time, in flat memory.

    :ivar attributes: attributes of the root, known once iteration has begun (complete when the root had been read).
    """

    def __init__(self, chunks: Iterable[bytes], check_root: Callable[[str], None], item: str) -> None:
        self._builder = _Builder(check_root, item)
        self._chunks = chunks

    @property
    def attributes(self) -> dict[str, str]:
        return self._builder.attributes

    def __iter__(self) -> Iterator[Any]:
        reader = _Reader(self._builder)
        for chunk in self._chunks:
            reader.feed(chunk)
            yield from self._drain()
        reader.close()
        yield from self._drain()
        rest = self._builder.root
        if self._builder.root_tag == "error":
            raise rejected_error(flat_text(rest))
        if flat_text(rest.get("$") if isinstance(rest, dict) else rest):
            raise unexpected_error("the response holds text in place of a list")

    def _drain(self) -> Iterator[Any]:
        items, self._builder.items = self._builder.items, []
        yield from items


def encode_xml(mapped: Mapped, root: str) -> bytes:
    """The mapped form as an XML document in UTF-8.

    :raises InvalidInputError: for text or names that XML cannot carry, with the path of each field.
    """
    problems: list[FieldProblem] = []
    element = etree.Element(root)
    _fill(element, mapped, root, problems)
    if problems:
        raise InvalidInputError(problems)
    return bytes(etree.tostring(element, encoding="UTF-8", xml_declaration=True))


def _fill(element: etree._Element, value: Any, path: str, problems: list[FieldProblem]) -> None:
    if not isinstance(value, dict):
        element.text = _text(value, path, problems)
        return
    for name, content in value.items():
        where = f"{path}.{name}"
        if name == "$":
            element.text = _text(content, path, problems)
        elif not _NAME.fullmatch(name.removeprefix("@")):
            problems.append(FieldProblem(path, "has a field whose name XML cannot carry", "correct the field's name"))
        elif name.startswith("@"):
            element.set(name[1:], _text(content, where, problems))
        elif isinstance(content, list):
            for index, entry in enumerate(content):
                _fill(etree.SubElement(element, name), entry, f"{where}[{index}]", problems)
        elif content is not None:  # null is "not there" in XML
            _fill(etree.SubElement(element, name), content, where, problems)


def _text(value: Any, path: str, problems: list[FieldProblem]) -> str:
    if not isinstance(value, str):
        problems.append(FieldProblem(path, "is not text", "give the value in the form of the service"))
        return ""
    found = _FORBIDDEN.search(value)
    if found is None:
        return value
    problems.append(
        FieldProblem(
            path,
            f"has a character that XML cannot carry (U+{ord(found.group()):04X} at position {found.start() + 1})",
            "remove the control character",
        )
    )
    return ""
