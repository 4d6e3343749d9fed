"""Responses of the service in the mapped form, read from and written to XML and JSON by the tests' own code."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from tests.support.ledger.tampering_proxy import Reply

#: Root element in XML and the name of an item, by endpoint.
ROOTS = {"charts": ("charts", "chart"), "balances": ("table", "row"), "postings": ("transactions", "transaction")}
COUNT = "@number_of_transaction"

Item = dict[str, Any]


@dataclass
class Page:
    """A list that the service sends.

    :param attributes: of the root, ``@name`` to text; the count of postings follows the items unless it is stated.
    :param root: name of the root element in XML, and of an item.
    """

    endpoint: str
    form: str
    items: list[Item]
    attributes: dict[str, str] = field(default_factory=dict)
    root: tuple[str, str] = ("", "")
    count: str | None = ""

    def with_items(self, change: Callable[[list[Item]], list[Item]]) -> Page:
        """The page with other items; a count that nobody stated follows them."""
        return Page(self.endpoint, self.form, change(deepcopy(self.items)), self.attributes, self.root, self.count)

    def reply(self) -> Reply:
        """The page as it is sent."""
        attributes = dict(self.attributes)
        if self.endpoint == "postings" and self.count is not None:
            attributes[COUNT] = self.count or str(len(self.items))
        write = _json_body if self.form == "json" else _xml_body
        return Reply(write(self, attributes), headers={"Content-Type": f"application/{self.form}"})


def read_page(endpoint: str, reply: Reply) -> Page:
    """Read a response of the service."""
    root, item = ROOTS[endpoint]
    if "json" in reply.headers["Content-Type"]:
        content = json.loads(reply.body) or {}
        found = content.get(item) or []
        items = found if isinstance(found, list) else [found]
        return Page(endpoint, "json", items, _other_attributes(content), (root, item))
    element = ElementTree.fromstring(reply.body)  # noqa: S314 - our own simulator
    mapped = _mapped(element)
    attributes = _other_attributes(mapped if isinstance(mapped, dict) else {})
    return Page(endpoint, "xml", [_as_item(child) for child in element], attributes, (root, item))


def _other_attributes(content: Item) -> dict[str, str]:
    return {name: value for name, value in content.items() if name.startswith("@") and name != COUNT}


def _as_item(element: ElementTree.Element) -> Item:
    mapped = _mapped(element)
    assert isinstance(mapped, dict), f"<{element.tag}> is an item without members"
    return mapped


def _mapped(element: ElementTree.Element) -> Item | str:
    members: Item = {f"@{name}": value for name, value in element.attrib.items()}
    for child in element:
        value = _mapped(child)
        if child.tag in members:
            earlier = members[child.tag]
            members[child.tag] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            members[child.tag] = value
    return members or element.text or ""


def _json_body(page: Page, attributes: dict[str, str]) -> bytes:
    items: Any = page.items[0] if len(page.items) == 1 else page.items or None
    content = {**attributes, **({page.root[1]: items} if page.items else {})}
    return json.dumps(content or None, ensure_ascii=False, separators=(",", ":")).encode()


def _xml_body(page: Page, attributes: dict[str, str]) -> bytes:
    content = {**attributes, page.root[1]: page.items}
    return f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{_xml(page.root[0], content)}'.encode()


def _xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_xml(name, item) for item in value)
    if not isinstance(value, dict):
        return f"<{name}>{escape(value or '', {chr(13): '&#13;'})}</{name}>"
    attributes = "".join(f" {key[1:]}={quoteattr(text)}" for key, text in value.items() if key.startswith("@"))
    children = "".join(_xml(key, child) for key, child in value.items() if not key.startswith("@"))
    return f"<{name}{attributes}>{children}</{name}>"
