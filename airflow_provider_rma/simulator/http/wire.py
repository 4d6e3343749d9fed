"""The simulator's own reading and writing of XML and of the mapped JSON that goes with it.

Nothing here is shared with the client: a wrong reading of the interface must show up between the two, not cancel out.

What arrives becomes plain dicts, lists and strings (``Mapped``). What leaves is described once as a ``Tree`` and
written in either form; lists leave piece by piece, so that a long one is never held in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, TypeAlias
from xml.parsers import expat

Mapped: TypeAlias = "str | dict[str, Mapped] | list[Mapped] | None"
Tree: TypeAlias = "dict[str, str | Tree | Listing | None]"
Item: TypeAlias = "Tree | Rendered | Listing | str | None"

XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
PIECE = 64 * 1024
_MAX_DEPTH = 30
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}


class MalformedError(Exception):
    """A body that cannot be read; the text is German, as the service's own texts are."""


@dataclass
class Listing:
    """A wrapper element around repeated items, or a whole list response.

    :param item: element name of one item.
    :param items: the items; read once.
    :param root: XML root of a list response (JSON drops it).
    :param attributes: attributes of the root, ``@name`` to text.
    """

    item: str
    items: Iterable[Item]
    root: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


class Template:
    """A tree whose texts differ from item to item, written once and then filled: for lists of a million items.

    :param tree: the tree with ``slot(0)``, ``slot(1)``, ... in place of the texts, in this order.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._written: dict[str, str] = {}

    def xml(self, name: str) -> str:
        """XML of an element, with ``%s`` for each text (escaped)."""
        return self._write("xml " + name, lambda: _element(name, self._tree), _SLOT)

    def json(self, empty: str) -> str:
        """Mapped JSON, with ``%s`` for each text (as a JSON string)."""
        return self._write("json " + empty, lambda: _json_text(_jsonable(self._tree, empty)), _QUOTED_SLOT)

    def _write(self, key: str, write: Callable[[], str], slot_pattern: re.Pattern[str]) -> str:
        if key not in self._written:
            self._written[key] = slot_pattern.sub("%s", write().replace("%", "%%"))
        return self._written[key]


@dataclass(slots=True)
class Rendered:
    """A template with its texts."""

    template: Template
    texts: tuple[str, ...]


def slot(number: int) -> str:
    """Place of a text in a template."""
    return f"\ue000{number}\ue001"


_SLOT = re.compile("\ue000[0-9]+\ue001")
_QUOTED_SLOT = re.compile('"\ue000[0-9]+\ue001"')


# --- reading -----------------------------------------------------------------------------------------------------


def read_xml(body: bytes, root: str) -> Mapped:
    """Read an XML document whose root element must be ``root``; repeated elements become lists."""
    _check_utf8(body, "Das XML ist fehlerhaft: Der Inhalt ist nicht in UTF-8 kodiert.")
    # The encoding is set: a declaration in the document cannot choose another one.
    parser = expat.ParserCreate("utf-8")
    builder = _XmlReader(root)
    parser.XmlDeclHandler = builder.declaration
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text.append
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise MalformedError(f"Das XML ist fehlerhaft (Zeile {error.lineno}).") from error
    return builder.result


class _XmlReader:
    def __init__(self, root: str) -> None:
        self.root = root
        self.result: Mapped = None
        self.text: list[str] = []
        self.open: list[dict[str, Mapped]] = []

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise MalformedError("Die Zeichenkodierung des XML wird nicht unterstützt.")

    def doctype(self, *_: Any) -> None:
        raise MalformedError("Ein DOCTYPE ist nicht erlaubt.")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.open and name != self.root:
            raise MalformedError(f"Unerwartetes Element '{name}', erwartet wird '{self.root}'.")
        if len(self.open) >= _MAX_DEPTH:
            raise MalformedError("Das XML ist zu tief verschachtelt.")
        self.open.append({f"@{key}": value for key, value in attributes.items()})
        self.text.clear()

    def end(self, name: str) -> None:
        content = self.open.pop()
        text = "".join(self.text)
        self.text.clear()
        value: Mapped = content
        if not any(not key.startswith("@") for key in content):
            value = {**content, "$": text} if content else text
        if not self.open:
            self.result = value
            return
        _add(self.open[-1], name, value)


def _add(parent: dict[str, Mapped], name: str, value: Mapped) -> None:
    if name not in parent:
        parent[name] = value
        return
    present = parent[name]
    if isinstance(present, list):
        present.append(value)
    else:
        parent[name] = [present, value]


def read_json(body: bytes) -> Mapped:
    """Read a JSON document; numbers and booleans become the text they were written as."""
    _check_utf8(body, "Der Inhalt ist nicht in UTF-8 kodiert.")
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_int=str, parse_float=str, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise MalformedError(f"Das JSON ist fehlerhaft (Zeile {error.lineno}).") from error
    except RecursionError as error:
        raise MalformedError("Das JSON ist zu tief verschachtelt.") from error
    return _texts(value)


def _check_utf8(body: bytes, text: str) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(text) from error


def _no_number(name: str) -> str:
    raise MalformedError(f"'{name}' ist keine Zahl.")


def _texts(value: Any, depth: int = 0) -> Mapped:
    if depth > _MAX_DEPTH:
        raise MalformedError("Das JSON ist zu tief verschachtelt.")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return {key: _texts(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item, depth + 1) for item in value]
    return value if value is None else str(value)


def items_inside(content: dict[str, Mapped], wrapper: str, item: str) -> list[dict[str, Mapped]]:
    """Items of a wrapped list, as the service reads them: of a repeated wrapper only the last one counts."""
    inner = content.get(wrapper)
    if isinstance(inner, list):
        inner = inner[-1] if inner else None
    found = inner.get(item) if isinstance(inner, dict) else None
    several = found if isinstance(found, list) else [found]
    return [entity for entity in several if isinstance(entity, dict)]


def has_unprintable(value: Mapped) -> bool:
    """Whether a text somewhere inside holds a character that XML 1.0 cannot carry."""
    if isinstance(value, dict):
        return any(has_unprintable(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unprintable(item) for item in value)
    return value is not None and _UNPRINTABLE.search(value) is not None


# --- writing -----------------------------------------------------------------------------------------------------


def write_xml(root: str, tree: Tree) -> Iterator[str]:
    """Write one entity as XML."""
    yield XML_DECLARATION
    yield _element(root, tree)


def write_xml_list(listing: Listing) -> Iterator[str]:
    """Write a list response as XML, item by item."""
    opening = listing.root + _attributes(listing.attributes)
    yield XML_DECLARATION
    pieces = (_element(listing.item, entity) for entity in listing.items)
    first = next(pieces, None)
    if first is None:
        yield f"<{opening}/>"
        return
    yield f"<{opening}>{first}"
    yield from pieces
    yield f"</{listing.root}>"


def _element(name: str, value: Item) -> str:
    if isinstance(value, Rendered):
        texts = value.texts
        # one search for all of them: nearly always there is nothing to escape
        escaping = _SPECIAL.search(" ".join(texts))
        return value.template.xml(name) % (tuple(map(escape, texts)) if escaping else texts)
    if value is None:
        return ""
    if isinstance(value, str):
        return f"<{name}>{escape(value)}</{name}>"
    if isinstance(value, Listing):
        inner = "".join([_element(value.item, entity) for entity in value.items])
        return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"
    inner = "".join([_element(key, child) for key, child in value.items() if key[0] != "@"])
    opening = name + _attributes(value)
    return f"<{opening}>{inner}</{name}>" if inner else f"<{opening}/>"


def _attributes(tree: Any) -> str:
    return "".join(
        [f' {key[1:]}="{escape(child)}"' for key, child in tree.items() if key[0] == "@" and child is not None]
    )


def escape(text: str) -> str:
    """Text for XML or HTML; what XML 1.0 cannot carry becomes the replacement character."""
    if not _SPECIAL.search(text):
        return text
    return _SPECIAL.sub(lambda match: _ESCAPED.get(match[0], "\ufffd"), text)


def replace_unprintable(text: str) -> str:
    """Replace what XML 1.0 cannot carry by the replacement character."""
    return _UNPRINTABLE.sub("\ufffd", text)


def write_json(tree: Tree, empty: str) -> Iterator[str]:
    """Write one entity as mapped JSON (the root is dropped).

    :param empty: how an empty list is written: ``null``, ``object`` (``{}``), ``text`` (``""``) or ``missing``.
    """
    yield _json_text(_jsonable(tree, empty))


def write_json_list(listing: Listing, empty: str, *, always_array: bool = False) -> Iterator[str]:
    """Write a list response as mapped JSON, item by item.

    A list of one is an object; an empty one is written as ``empty`` says.

    :param always_array: write a list of one as an array too.
    """
    rest = iter(listing.items)
    first = list(islice(rest, 2))
    head = ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in listing.attributes.items())
    if not first:
        yield f"{{{head}}}" if head else {"null": "null", "text": '""'}.get(empty, "{}")
        return
    array = always_array or len(first) > 1
    yield "{" + (head + "," if head else "") + json.dumps(listing.item) + ":" + ("[" if array else "")
    separator = ""
    for entity in chain(first, rest):
        yield separator + _json_item(entity, empty)
        separator = ","
    yield "]}" if array else "}"


_json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_json_string = json.encoder.encode_basestring
_MISSING = object()
_EMPTY: dict[str, Any] = {"null": None, "object": {}, "text": "", "missing": _MISSING}


def _json_item(value: Item, empty: str) -> str:
    if isinstance(value, Rendered):
        return value.template.json(empty) % tuple(map(_json_string, value.texts))
    return _json_text(_jsonable(value, empty))


def _jsonable(value: Item, empty: str) -> Any:
    if isinstance(value, Rendered):
        return json.loads(_json_item(value, empty))
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Listing):
        found = [_jsonable(entity, empty) for entity in value.items]
        if not found:
            return _EMPTY[empty]
        return {value.item: found[0] if len(found) == 1 else found}
    pairs = ((key, _jsonable(child, empty)) for key, child in value.items() if child is not None)
    return {key: child for key, child in pairs if child is not _MISSING}


def encode_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """UTF-8 pieces of at least ``PIECE`` bytes (the last one may be smaller)."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= PIECE:
            yield "".join(waiting).encode("utf-8")
            waiting.clear()
            size = 0
    if waiting:
        yield "".join(waiting).encode("utf-8")
