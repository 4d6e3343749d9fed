"""The three ways to present the key."""

from __future__ import annotations

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_provider_rma.client.config import AuthScheme, ClientConfig
from airflow_provider_rma.client.redaction import hide_in_logs


def make_auth(config: ClientConfig) -> AuthBase:
    """The scheme that a connection asks for."""
    hide_in_logs(config.token)
    return _SCHEMES[config.auth_scheme](config.token)


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

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.prepare_url(request.url or "", {"api_key": self._token})
        return request


_SCHEMES: dict[AuthScheme, type[BearerAuth | RmaKeyAuth | QueryKeyAuth]] = {
    "bearer": BearerAuth,
    "rma_key": RmaKeyAuth,
    "query": QueryKeyAuth,
}
