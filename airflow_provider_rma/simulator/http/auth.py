"""The token that opens the tenant, and its places in a request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from secrets import compare_digest

from starlette.requests import Request

from airflow_provider_rma.simulator.http.responses import ResponseError

CURRENT_PREFIX = "pat_"


@dataclass(frozen=True)
class TokenAuth:
    """The key of the one tenant.

    A missing or malformed ``Bearer`` gets 401, a wrong key with 403 (a reading: the documentation names
    both codes). A key that begins with ``pat_`` is never accepted in the address (documented).

    :param token: the key.
    :param further: further keys of the same tenant; payment flags and marks belong to the key.
    :param legacy: also accept the header ``X-RMA-KEY`` and the parameter ``api_key``, as before April 2026.
    """

    token: str = field(repr=False)
    legacy: bool = False
    further: set[str] = field(default_factory=set, repr=False)

    def check(self, request: Request) -> str:
        """Let the request pass or raise 401 or 403. Returns the name of its key, which says nothing of the key."""
        if "authorization" in request.headers:
            return self._expect(_bearer(request), allowed=self.token.startswith(CURRENT_PREFIX))
        if self.legacy and "x-rma-key" in request.headers:
            return self._expect(request.headers["x-rma-key"])
        if self.legacy and "api_key" in request.query_params:
            return self._expect(request.query_params["api_key"], allowed=not self.token.startswith(CURRENT_PREFIX))
        raise ResponseError(401, "Der Header 'Authorization: Bearer ...' fehlt.")

    def check_control(self, request: Request) -> None:
        """Let a request to the control endpoint pass: the same key as ``Bearer``, whatever it looks like."""
        self._expect(_bearer(request))

    def _expect(self, key: str, *, allowed: bool = True) -> str:
        known = [compare_digest(key.encode(), token.encode()) for token in (self.token, *self.further)]
        if not allowed or not any(known):
            raise ResponseError(403, "Der API-Schlüssel ist ungültig.")
        return hashlib.sha256(key.encode()).hexdigest()


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise ResponseError(401, "Der Header 'Authorization: Bearer ...' fehlt oder ist fehlerhaft.")
    return key.strip()
