"""JSON to the mapped form and back.

Numbers keep their text as it stands on the wire, ``true`` and ``false`` become text: no float is ever made. Duplicate
keys, NaN and Infinity, anything behind the object, and a body that is no object are refused. A body of ``null`` is an
object without members: that is how the service's JSON library writes an empty list (inferred).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from airflow_provider_rma.client.codecs.wire import MAX_DEPTH, Mapped
from airflow_provider_rma.client.errors import html_page_error, incomplete_error, too_deep_error, unexpected_error
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError, RequestError

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


#: Bytes beyond which objects and lists have to be this long on an average. The shortest row of a list that says
#: anything, an account with its balance, has twice as many.
_DENSE_BYTES, _DENSE_SIZE = 1024 * 1024, 16

#: Members of one object; documented ones have about fifty.
_MAX_MEMBERS = 10_000


class _RefusedError(ValueError):
    """Raised inside the JSON scanner; the text names no content."""


def _refuse_constant(_name: str) -> NoReturn:
    raise _RefusedError("the response has NaN or Infinity where a number belongs")


def _to_object(pairs: list[tuple[str, Any]]) -> Mapped:
    if len(pairs) > _MAX_MEMBERS:
        raise _RefusedError(f"the response has an object with more than {_MAX_MEMBERS} members")
    value = {name: _scalar(content) for name, content in pairs}
    if len(value) != len(pairs):
        raise _RefusedError("the response has an object with the same member twice")
    return value


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [_scalar(entry) for entry in value]
    return value


def decode_json(body: bytes) -> Mapped:
    """One whole JSON object as the mapped form."""
    failure: RequestError
    try:
        _check_density(body)
        text = body.removeprefix(_BOM).decode("utf-8")
        if not text.strip():
            raise incomplete_error("JSON", ": it is empty")
        value = json.loads(
            text, object_pairs_hook=_to_object, parse_float=str, parse_int=str, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        failure = _syntax_error(error)
    except UnicodeDecodeError as error:
        ended = error.reason == "unexpected end of data"
        failure = incomplete_error("JSON") if ended else unexpected_error("the response is not UTF-8 text")
    except _RefusedError as error:
        failure = unexpected_error(str(error))
    except RecursionError:
        failure = too_deep_error(MAX_DEPTH)
    else:
        return _check_value(value, may_hold_surrogates=b"\\u" in body)
    raise failure


def _check_density(body: bytes) -> None:
    """Refuse a body that consists of next to nothing but empty objects and lists: each takes many times its bytes."""
    if len(body) > _DENSE_BYTES and (body.count(b"{") + body.count(b"[")) * _DENSE_SIZE > len(body):
        raise unexpected_error("the response consists of empty objects")


def _syntax_error(error: json.JSONDecodeError) -> RequestError:
    text = error.doc.strip()
    if text.startswith("<"):
        is_page = re.match(r"<(!doctype\s+html|html)\b", text, re.I)
        return html_page_error() if is_page else unexpected_error("the response is not JSON")
    if (
        _is_start(text)
        and not error.msg.startswith("Extra data")
        and (error.pos >= len(error.doc.rstrip()) or not text.endswith("}") or error.msg.startswith("Unterminated"))
    ):
        return incomplete_error("JSON", f" (at character {error.pos})")
    return unexpected_error(f"the response is not well-formed JSON (at character {error.pos})")


def _is_start(text: str) -> bool:
    return text.startswith("{") or (bool(text) and "null".startswith(text))


def _check_value(value: Any, *, may_hold_surrogates: bool) -> Mapped:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise unexpected_error("the response is JSON, but no object")
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, (dict, list))]
        if not level:
            break
    else:
        raise too_deep_error(MAX_DEPTH)
    if may_hold_surrogates and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise unexpected_error("the response has half a character (a lone UTF-16 surrogate)")
    return value


def _children(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def encode_json(mapped: Mapped, root: str) -> bytes:
    """The mapped form as JSON in UTF-8, without a root (the root only names the path in problems).

    :raises InvalidInputError: for control characters, which the books could not give back as XML either.
    """
    problems: list[FieldProblem] = []
    _check_text(mapped, root, problems)
    if problems:
        raise InvalidInputError(problems)
    return json.dumps(mapped, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _check_text(value: Any, path: str, problems: list[FieldProblem]) -> None:
    if isinstance(value, dict):
        for name, content in value.items():
            _check_text(content, f"{path}.{name}", problems)
    elif isinstance(value, list):
        for index, content in enumerate(value):
            _check_text(content, f"{path}[{index}]", problems)
    elif isinstance(value, str):
        found = _FORBIDDEN.search(value)
        if found:
            place = f"U+{ord(found.group()):04X} at position {found.start() + 1}"
            problems.append(
                FieldProblem(path, f"has a character that cannot be sent ({place})", "remove the control character")
            )
    elif value is not None:
        problems.append(FieldProblem(path, "is not text", "give the value in the form of the service"))
