"""Whether bytes are a whole document, as parsers say that the package does not use."""

from __future__ import annotations

import json
from typing import Any
from xml.parsers import expat


def is_well_formed(body: bytes, kind: str) -> bool:
    """Whether this is one whole document of a kind (``json`` or ``xml``), without a DTD and without a member twice."""
    return _is_json(body) if kind == "json" else _is_xml(body)


def _is_xml(body: bytes) -> bool:
    # Answers are read as UTF-8 whatever they call themselves.
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError):
        return False
    return True


def _refuse(*_: Any) -> None:
    raise ValueError("refused")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body.decode("utf-8-sig"), parse_constant=_refuse, parse_int=str, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member comes twice")
    return dict(pairs)
