"""The one place where secrets are taken out of text."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, quote_plus

REDACTED = "***"

#: Loggers of urllib3 that write whole URLs at level DEBUG.
_LOGGERS_OF_URLS = ("urllib3.connectionpool", "urllib3.util.retry")

_KEY_IN_QUERY = re.compile(r"(api_key=)[^&\s\"']+")


def redact(text: str, token: str) -> str:
    """``text`` without the token, in the spellings in which a server or a library may quote it."""
    for spelling in {token, quote(token, safe=""), quote_plus(token)}:
        text = text.replace(spelling, REDACTED)
    return text


def hide_key_in_logs() -> None:
    """Take the value of ``api_key`` out of what urllib3 logs. Calling it again changes nothing."""
    for name in _LOGGERS_OF_URLS:
        logging.getLogger(name).addFilter(_FILTER)


class _KeyFilter(logging.Filter):
    """Replaces the value of ``api_key`` in log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "api_key=" in message:
            record.msg, record.args = _KEY_IN_QUERY.sub(rf"\1{REDACTED}", message), ()
        return True


_FILTER = _KeyFilter()
