"""What a connection to RMA says, checked before anything is sent."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from urllib.parse import quote, urlsplit

from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.client.origin import OriginError, canonical_origin
from airflow_provider_rma.exceptions import ConfigurationError

AuthScheme = Literal["bearer", "rma_key", "query"]

DEFAULT_HOST = "https://service.runmyaccounts.com"


@dataclass(frozen=True)
class ClientConfig:
    """Settings of one tenant's connection.

    :param host: scheme, name and port of the service; no scheme means https. No path: ``/api/…`` is added.
    :param tenant: the client name issued with the key (RMA: "Mandant"), exactly as it stands in the service's
        addresses: upper and lower case count, and two spellings are two tenants.
    :param token: the API key, ``pat_…`` since 2025 (documented). Never shown by ``repr``.
    :param auth_scheme: ``bearer`` (the only one the live service accepts since 2026-04-01, documented), ``rma_key``
        (header ``X-RMA-KEY``), ``query`` (``api_key`` in the URL; needs ``allow_key_in_url``).
    :param allow_key_in_url: permits ``auth_scheme="query"``. A key in a URL ends in the logs of every proxy.
    :param allow_http: permits ``http://`` to a host that is not this machine: the token travels in clear text.
    :param api_version: path segment of the version, always ``latest`` (documented).
    :param content_type: ``json`` or ``xml``, for requests and responses; each call can choose otherwise.
    :param allow_writes: False refuses every POST before it is sent.
    :param closed_until: last day of the closed accounting period, inclusive; None if unknown. The client does not use
        it; billing refuses documents dated on or before it.
    :param connect_timeout: seconds to make a connection, for each address of the host.
    :param read_timeout: seconds of silence after which a read is given up (lists can take minutes, seen in clients).
    :param total_deadline: seconds for one POST, from connecting to the last byte of the response.
    :param max_in_flight: requests at the same time; connections kept open. Reads are counted over all clients of this
        process at the same host.
    :param verify: True checks certificates, a path names the file of the certificate authorities to trust, False
        checks nothing (the token can then be stolen).
    :param proxies: proxy address by scheme, e.g. ``{"https": "http://proxy.example:3128"}``. Proxies of the environment
        are not used: where a token travels is said by the connection alone.
    :raises ConfigurationError: naming every field that is wrong, and the remedy.
    """

    tenant: str
    token: str = field(repr=False)
    host: str = DEFAULT_HOST
    auth_scheme: AuthScheme = "bearer"
    allow_key_in_url: bool = False
    allow_http: bool = False
    api_version: str = "latest"
    content_type: ContentType = "json"
    allow_writes: bool = False
    closed_until: date | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 300.0
    total_deadline: float = 120.0
    max_in_flight: int = 1
    verify: bool | str = True
    proxies: Mapping[str, str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        problems = [*self._wrong_host(), *self._wrong_tenant(), *self._wrong_key(), *self._wrong_values()]
        if problems:
            raise ConfigurationError(
                "the connection cannot be used: " + "; ".join(problems) + ".",
                advice="Correct the connection; nothing was sent.",
            )

    @property
    def origin(self) -> str:
        """The only name of the service, e.g. ``https://service.runmyaccounts.com``, however the host is written; see
        :func:`~airflow_provider_rma.client.origin.canonical_origin`."""
        return canonical_origin(self.host)

    @property
    def base_url(self) -> str:
        """Address below which all resources of the tenant are, without a slash at its end."""
        return f"{self.origin}/api/{self.api_version}/clients/{quote(self.tenant, safe='')}"

    @property
    def read_deadline(self) -> float:
        """Seconds for one GET including its body: generous, so that only a server that trickles for ever is cut."""
        return max(4 * self.read_timeout, self.total_deadline)

    def _wrong_host(self) -> Iterator[str]:
        try:
            parts = urlsplit(canonical_origin(self.host) if isinstance(self.host, str) else "")
        except OriginError as error:
            yield f"host {error}"
            return
        if not parts.hostname:
            yield "host is no text; give a name such as service.runmyaccounts.com"
        elif parts.scheme == "http" and not self.allow_http and not _is_loopback(parts.hostname):
            yield "host uses http://, which sends the token in clear text; use https:// (or set allow_http)"

    def _wrong_tenant(self) -> Iterator[str]:
        if not isinstance(self.tenant, str) or not self.tenant.strip():
            yield "tenant is missing; give the client name issued with the key (field schema)"
        elif self.tenant in (".", "..") or re.search(r"[\s/\\?#%;]", self.tenant) or not self.tenant.isprintable():
            yield "tenant has characters that no client name has; give the name alone, without blanks or slashes"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.api_version or ""):
            yield "api_version is no version; use latest"

    def _wrong_key(self) -> Iterator[str]:
        if not isinstance(self.token, str) or not self.token:
            yield "token is missing; put the API key into the password field"
        elif re.search(r"[^\x21-\x7e]", self.token):
            yield "token has blanks, line breaks or characters outside ASCII; paste the key alone, without `Bearer`"
        if self.auth_scheme not in ("bearer", "rma_key", "query"):
            yield "auth_scheme is unknown; use bearer, rma_key or query"
        elif self.auth_scheme == "query" and self.allow_key_in_url is not True:
            yield "auth_scheme query puts the key into every URL; use bearer (or set allow_key_in_url)"
        elif self.auth_scheme == "query" and str(self.token).startswith("pat_"):
            yield "auth_scheme query does not work with a pat_ key, the service refuses it there; use bearer"

    def _wrong_values(self) -> Iterator[str]:
        if self.content_type not in ("json", "xml"):
            yield "content_type is unknown; use json or xml"
        for name in ("allow_writes", "allow_http", "allow_key_in_url"):
            if not isinstance(getattr(self, name), bool):
                yield f"{name} is neither true nor false; give a JSON boolean"
        for name in ("connect_timeout", "read_timeout", "total_deadline"):
            if not _is_positive(getattr(self, name)):
                yield f"{name} is no positive number; give seconds"
        if not isinstance(self.max_in_flight, int) or isinstance(self.max_in_flight, bool) or self.max_in_flight < 1:
            yield "max_in_flight is no whole number from 1; use 1"
        if not isinstance(self.verify, (bool, str)) or self.verify == "":
            yield "verify is neither true, false nor a file; use true"
        if isinstance(self.closed_until, datetime) or not isinstance(self.closed_until, (date, type(None))):
            yield "closed_until is no date; give a calendar day"
        yield from self._wrong_proxies()

    def _wrong_proxies(self) -> Iterator[str]:
        for scheme, address in (self.proxies or {}).items():
            if scheme not in ("http", "https") or not str(address).startswith(("http://", "https://")):
                yield "proxies is not understood; give {'https': 'http://name:port'}"


def _is_positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and value > 0


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
