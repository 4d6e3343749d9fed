"""The three ways to present the key, and the one place where secrets are taken out of text."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, quote_plus

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_provider_rma.client.config import ClientConfig

REDACTED = "***"

_KEY_IN_QUERY = re.compile(r"(api_key=)[^&\s\"']+")


class BearerAuth(AuthBase):
    """``Authorization: Bearer …``: the current scheme (documented)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class RmaKeyAuth(AuthBase):
    """``X-RMA-KEY: …``: documented once, still seen in clients."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-RMA-KEY"] = self._token
        return request


class QueryKeyAuth(AuthBase):
    """``?api_key=…``: legacy, blocked by the live service since 2026-04-01 (documented)."""

    def __init__(self, token: str) -> None:
        self._token = token
        _silence_key_in_logs()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.prepare_url(request.url or "", {"api_key": self._token})
        return request


def auth_for(config: ClientConfig) -> AuthBase:
    """The scheme that a connection asks for."""
    schemes: dict[str, type[BearerAuth | RmaKeyAuth | QueryKeyAuth]] = {
        "bearer": BearerAuth,
        "rma_key": RmaKeyAuth,
        "query": QueryKeyAuth,
    }
    return schemes[config.auth_scheme](config.token)


def redact(text: str, token: str) -> str:
    """``text`` without the token, in the spellings in which a server or a library may quote it."""
    for spelling in {token, quote(token, safe=""), quote_plus(token)}:
        text = text.replace(spelling, REDACTED)
    return text


class _KeyFilter(logging.Filter):
    """urllib3 logs whole URLs at level DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "api_key=" in message:
            record.msg, record.args = _KEY_IN_QUERY.sub(rf"\1{REDACTED}", message), ()
        return True


_FILTER = _KeyFilter()


def _silence_key_in_logs() -> None:
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_FILTER)  # adding the same filter again changes nothing
