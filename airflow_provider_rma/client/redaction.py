"""The one place where secrets are taken out of text, also out of what the HTTP libraries log."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "***"

#: Roots of the loggers of the libraries that requests go through.
_LIBRARIES = re.compile(r"(?:urllib3|requests|http\.client)(?:\.|$)")

_KEY_IN_QUERY = re.compile(r"(api_key(?:=|%3D))[^&\s\"'<>]+", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def redact(text: str, token: str) -> str:
    """``text`` without the token, in the spellings in which a server or a library may quote it."""
    for spelling in {token, quote(token, safe=""), quote_plus(token)}:
        text = text.replace(spelling, REDACTED)
    return text


def hide_in_logs(token: str) -> None:
    """Take a token, and every value of ``api_key``, out of what the HTTP libraries log. Again, it changes nothing.

    A filter would see the records of its own logger only, and those of a library's modules have one each, also modules
    that are not loaded yet. So records are redacted where they are made, before any handler at any level sees them.
    """
    with _lock:
        _tokens.add(token)
        if not _is_in_force():
            logging.setLogRecordFactory(_RedactingFactory(logging.getLogRecordFactory()))


_tokens: set[str] = set()
_lock = threading.Lock()


class _RedactingFactory:
    """Makes log records; those of the HTTP libraries without secrets, each in one line."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        # `logging.makeLogRecord` and structlog make records without a name.
        if _LIBRARIES.match(record.name or ""):
            _clean(record)
        return record


def _clean(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print the arguments, which may hold anything
        message = str(record.msg)
    record.msg, record.args = _one_line(_without_secrets(message)), ()
    if record.exc_info and record.exc_info[1] is not None:
        # Its text quotes addresses, and handlers format it by themselves: the text stands in its place.
        error = traceback.format_exception(*record.exc_info)[-1]
        record.msg = f"{record.msg} ({_one_line(_without_secrets(error.strip()))})"
        record.exc_info = record.exc_text = None


def _without_secrets(text: str) -> str:
    for token in _tokens:
        text = redact(text, token)
    return _KEY_IN_QUERY.sub(rf"\1{REDACTED}", text)


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def _is_in_force() -> bool:
    """Whether records are redacted already, also where another library has put its factory around ours."""
    probe = logging.getLogRecordFactory()("urllib3", logging.DEBUG, "", 0, "api_key=probe", (), None)
    return probe.getMessage() == f"api_key={REDACTED}"
