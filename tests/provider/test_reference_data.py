"""The reference data travels with the checkout: where a part of it is missing, that is a failure, never a skip."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from tests.support.payloads import OURS, Payloads
from tests.support.reference import oracle_cases, rounding_triples
from tests.support.simulator import xml_root


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("ar_booking", 47),
        ("ar_articles", 120),
        ("payment", 76),
        ("ap", 25),
        ("gl", 12),
        ("resave", 8),
        ("delete", 4),
    ],
)
def test_no_case_of_the_oracle_is_missing(kind: str, count: int) -> None:
    cases = oracle_cases(kind)
    assert {case["kind"] for case in cases} == {kind}
    assert len({case["case"] for case in cases}) == len(cases) == count


def test_no_rounding_triple_is_missing() -> None:
    assert len(rounding_triples()) == 2459


#: Kinds of values, told apart by how they are written.
VALUES = (r"-?\d+\.\d{4}", r"-?\d+\.\d+", r"\d+", r"\d{4}-\d\d-\d\dT[\d:.]+\+0\d:00", r"true|false", r".+")


def value_kind(text: str | None) -> str:
    return next((kind for kind in VALUES if re.fullmatch(kind, (text or "").strip())), "")


def element_shape(element: ElementTree.Element) -> Any:
    """Name, attributes and children; of a list its first item."""
    children: dict[str, Any] = {}
    for child in element:
        children.setdefault(child.tag, element_shape(child))
    attributes = {name: value_kind(value) for name, value in element.attrib.items()}
    return attributes, list(children.items()) or value_kind(element.text)


def json_shape(value: Any) -> Any:
    """Fields in their order; of a list its first item."""
    if isinstance(value, dict):
        return [(name, json_shape(member)) for name, member in value.items()]
    return [json_shape(value[0])] if isinstance(value, list) else value_kind(value)


#: Fields whose value depends on the company: left empty by one and filled in by another, a number here, a text there.
FREE = re.compile(r"zipcode|address1|city|unit|description|memo|price_update|reference|discount|tax_accnos|number")


def same_shape(ours: Any, theirs: Any) -> bool:
    """Whether two shapes are alike in names, order and nesting, and in the kinds of values of all but free fields."""
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        if len(ours) == 2 == len(theirs) and isinstance(ours[0], str) and ours[0] == theirs[0] and FREE.search(ours[0]):
            return True
        return len(ours) == len(theirs) and all(map(same_shape, ours, theirs))
    return bool(ours == theirs)


@pytest.mark.parametrize("name", sorted(path.name for path in OURS.folder.iterdir() if path.suffix != ".md"))
def test_our_payloads_have_the_documented_shapes(payloads: Payloads, name: str) -> None:
    ours, theirs = OURS.read(name), payloads.read(name)
    if name.endswith(".json"):
        assert same_shape(json_shape(json.loads(ours)), json_shape(json.loads(theirs)))
    else:
        assert same_shape(element_shape(xml_root(ours)), element_shape(xml_root(theirs)))
