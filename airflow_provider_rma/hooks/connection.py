"""From an Airflow connection to the client's configuration: pure, no network.

The provider info declares the extras; :class:`Extras` reads them by that declaration, strictly, but in every form in
which Airflow delivers them: the form stores typed values and ``null`` for a field left empty, a connection given as a
URI delivers strings, one given as JSON whatever its author wrote. A value that is not plainly what the field wants is
refused by the field's name. Values are never quoted: somebody may have put a token into the wrong field.
"""

from __future__ import annotations

import datetime
import difflib
import json
import math
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.get_provider_info import get_provider_info

if TYPE_CHECKING:
    from airflow_provider_rma.client.config import ClientConfig

#: Default host by environment (live: documented; sandbox: seen in clients).
HOSTS = {
    "live": "https://service.runmyaccounts.com",
    "sandbox": "https://service.int.runmyaccounts.com",
}

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

#: What people call a standard field when they look for it among the extras.
_STANDARD = {
    "Token": ("token", "password", "api_key", "apikey", "key", "secret", "rma_key", "pat"),
    "Tenant (Mandant)": ("tenant", "mandant", "schema", "client", "clientname"),
    "Host": ("host", "url", "base_url", "endpoint"),
    "Port": ("port",),
}


class ConnectionLike(Protocol):
    """The members of an Airflow connection that are read."""

    @property
    def conn_id(self) -> str: ...

    @property
    def conn_type(self) -> str | None: ...

    @property
    def host(self) -> str | None: ...

    @property
    def port(self) -> int | None: ...

    @property
    def schema(self) -> str | None: ...

    @property
    def password(self) -> str | None: ...

    @property
    def extra(self) -> str | None: ...


def get_connection_type() -> dict[str, Any]:
    """The declaration of the connection type ``rma`` in the provider info."""
    declaration: dict[str, Any] = get_provider_info()["connection-types"][0]
    return declaration


def client_config(connection: ConnectionLike, *, content_type: str | None = None) -> ClientConfig:
    """Read a connection.

    :param connection: an Airflow connection of type ``rma``. Missing, ``null`` and blank values mean "not set".
    :param content_type: ``json`` or ``xml`` instead of what the connection says.
    :raises ConfigurationError: if a field is missing or unreadable; the message names it and quotes no value.
    """
    from airflow_provider_rma.client.config import ClientConfig

    conn_id = str(connection.conn_id)
    declaration = get_connection_type()
    if connection.conn_type not in (None, "", declaration["connection-type"]):
        raise ConfigurationError(
            f"connection {conn_id} is of type {connection.conn_type!r}.",
            advice="Choose a connection of type 'rma': a token of another service must not be sent to this one.",
        )
    settings = Extras(conn_id, connection.extra, declaration["conn-fields"]).read_all(
        {"content_type": content_type} if content_type else {}
    )
    environment = settings.pop("environment", "live")
    settings["host"] = _host(connection, conn_id, environment)
    settings["tenant"] = str(connection.schema or "").strip()
    settings["token"] = _token(connection, conn_id)
    try:
        return ClientConfig(**settings)
    except ConfigurationError as error:
        # The client does not know which connection it was given.
        raise ConfigurationError(f"connection {conn_id}: {error.message}", advice=error.advice) from None


def _host(connection: ConnectionLike, conn_id: str, environment: str) -> str:
    """The host as it was given, or that of the environment, with the field Port put into it; the client judges the
    rest."""
    host = str(connection.host or "").strip().rstrip("/") or HOSTS[environment]
    if connection.port:
        host = _with_port(host, int(connection.port), conn_id)
    if environment == "sandbox" and _is_live(host):
        raise _field_error(
            conn_id,
            "extra 'environment'",
            "says sandbox, and Host is the address of the live service",
            f"Empty Host to use {HOSTS['sandbox']}, or set environment to live if the real books are meant.",
        )
    return host


def _with_port(host: str, port: int, conn_id: str) -> str:
    try:
        named = urlsplit(host if "://" in host else f"//{host}").port
    except ValueError:
        return host
    if named is None:
        return f"{host.rstrip(':')}:{port}"
    if named != port:
        raise _field_error(conn_id, "Host", "names another port than the field Port", "Give the port once.")
    return host


def _is_live(host: str) -> bool:
    from airflow_provider_rma.client.origin import OriginError, canonical_origin

    try:
        return urlsplit(canonical_origin(host)).hostname == urlsplit(HOSTS["live"]).hostname
    except OriginError:
        return False


def _token(connection: ConnectionLike, conn_id: str) -> str:
    token = str(connection.password or "").strip()
    if token and set(token) == {"*"}:
        raise _field_error(
            conn_id, "Token", "is only the mask that Airflow shows instead of it", "Enter the token itself once more."
        )
    return token


def _field_error(conn_id: str, field: str, problem: str, advice: str = "") -> ConfigurationError:
    return ConfigurationError(f"connection {conn_id}: {field} {problem}.", advice=advice)


class Extras:
    """The extras of one connection.

    :param conn_id: the connection's id, for messages.
    :param text: the extras as Airflow stores them: a JSON object, or nothing.
    :param declared: declarations of the extras that may occur, by name.
    :raises ConfigurationError: if the text is no JSON object or holds a name that is not known.
    """

    def __init__(self, conn_id: str, text: str | None, declared: Mapping[str, Mapping[str, Any]]) -> None:
        self._conn_id = conn_id
        self._declared = declared
        self._values = self._load(text)
        for name in self._values:
            if name not in declared:
                raise self._unknown_error(name, declared)

    def read_all(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Read every extra by its declaration.

        :param overrides: values that replace what the connection says, which is not read then.
        :returns: the values that are set.
        """
        read = {
            name: overrides[name] if name in overrides else self._read(name, declaration["schema"])
            for name, declaration in self._declared.items()
        }
        return {name: value for name, value in read.items() if value is not None}

    def _read(self, name: str, schema: Mapping[str, Any]) -> Any:
        if name == "verify":
            return self.verification(name)
        if name == "proxies":
            return self.proxies(name)
        if "enum" in schema:
            return self.choice(name, schema["enum"])
        if schema.get("format") == "date":
            return self.day(name)
        readers = {"boolean": self.boolean, "integer": self.count, "number": self.seconds, "string": self.text}
        return readers[schema["type"][0]](name)

    def _load(self, text: str | None) -> Mapping[str, Any]:
        if not text or not text.strip():
            return {}
        try:
            values = json.loads(text)
        except ValueError:
            values = text
        if values is None:
            return {}
        if not isinstance(values, dict):
            raise ConfigurationError(
                f"connection {self._conn_id}: the extras are no JSON object.",
                advice='Write them as {"name": value, …}, in double quotes.',
            )
        return values

    def _unknown_error(self, name: str, known: Collection[str]) -> ConfigurationError:
        lowered = name.casefold().replace("-", "_")
        for field, names in _STANDARD.items():
            if lowered in names:
                advice = f"It belongs into the field {field} of the connection."
                break
        else:
            near = difflib.get_close_matches(lowered, known, n=1, cutoff=0.5)
            advice = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(sorted(known))}."
        return ConfigurationError(f"connection {self._conn_id}: unknown extra {name!r}.", advice=advice)

    def get(self, name: str) -> Any:
        """The value as it was given, or None where it is missing, ``null`` or blank."""
        value = self._values.get(name)
        if isinstance(value, str):
            value = value.strip()
        return None if value == "" else value

    def _extra_error(self, name: str, problem: str, advice: str = "") -> ConfigurationError:
        return _field_error(self._conn_id, f"extra {name!r}", problem, advice)

    def boolean(self, name: str) -> bool | None:
        """True or false, also from ``"true"``, ``"no"``, ``1`` and the like."""
        value = self.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).casefold() if isinstance(value, str | int) else ""
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise self._extra_error(name, "is neither true nor false", "Write true or false.")

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of the allowed words, in any case."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.casefold() in allowed:
            return value.casefold()
        raise self._extra_error(name, f"is none of {', '.join(allowed)}", "Choose one of these words.")

    def seconds(self, name: str) -> float | None:
        """A time in seconds, greater than zero."""
        value = self.get(name)
        if value is None:
            return None
        number = math.nan
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except (ValueError, OverflowError):
                number = math.nan
        if math.isfinite(number) and number > 0:
            return number
        raise self._extra_error(name, "is not a number of seconds greater than 0", "Write a number such as 30.")

    def count(self, name: str) -> int | None:
        """A whole number, at least 1."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        raise self._extra_error(name, "is not a whole number of at least 1", "Write a number such as 1.")

    def day(self, name: str) -> datetime.date | None:
        """A calendar day written ``YYYY-MM-DD``."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return datetime.date.fromisoformat(value)
            except ValueError:
                pass
        raise self._extra_error(name, "is not a day written YYYY-MM-DD", "Write it like 2025-12-31.")

    def text(self, name: str) -> str | None:
        """A text, without blanks around it."""
        value = self.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._extra_error(name, "is not a text", "Write it in double quotes.")

    def verification(self, name: str) -> bool | str | None:
        """Whether certificates are verified, or the path of the file to verify them with."""
        value = self.get(name)
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return self.boolean(name)
        if value.casefold() in _TRUE | _FALSE:
            return value.casefold() in _TRUE
        return value

    def proxies(self, name: str) -> dict[str, str] | None:
        """Addresses of proxies by the scheme of the request; one address stands for both schemes."""
        value = self.get(name)
        if isinstance(value, str):
            value = self._proxy_text(name, value)
        if not value:
            return None
        if not isinstance(value, dict) or not set(value) <= {"http", "https"}:
            raise self._extra_error(
                name,
                'is neither an address nor a JSON object with the names "http" and "https"',
                "Write it as http://proxy.example.com:3128.",
            )
        return {scheme: self._proxy(name, address) for scheme, address in value.items() if address} or None

    def _proxy_text(self, name: str, text: str) -> Any:
        if not text.startswith("{"):
            return {"http": text, "https": text}
        try:
            return json.loads(text)
        except ValueError:
            raise self._extra_error(
                name, "is no JSON object", 'Write it as {"https": "http://proxy.example.com:3128"}.'
            ) from None

    def _proxy(self, name: str, address: Any) -> str:
        try:
            parts = urlsplit(address) if isinstance(address, str) else None
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise self._extra_error(name, "is not the address of a proxy", "Write it as http://proxy.example.com:3128.")
        if parts.password is not None:
            raise self._extra_error(
                name,
                "holds a password, and Airflow shows extras in clear",
                "Use a proxy that knows the workers without one.",
            )
        return parts.geturl()
