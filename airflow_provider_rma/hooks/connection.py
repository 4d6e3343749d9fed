"""From an Airflow connection to the client's configuration: pure, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.get_provider_info import get_provider_info
from airflow_provider_rma.hooks.extras import Extras

if TYPE_CHECKING:
    from airflow_provider_rma.client.config import ClientConfig

#: Default host by environment (live: documented; sandbox: seen in clients).
HOSTS = {
    "live": "https://service.runmyaccounts.com",
    "sandbox": "https://service.int.runmyaccounts.com",
}


class ConnectionLike(Protocol):
    """What is read of an Airflow connection."""

    conn_id: Any
    conn_type: Any
    host: Any
    port: Any
    schema: Any
    password: Any
    extra: Any


def form() -> dict[str, Any]:
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
    if connection.conn_type not in (None, "", form()["connection-type"]):
        raise ConfigurationError(
            f"connection {conn_id} is of type {connection.conn_type!r}.",
            advice="Choose a connection of type 'rma': a token of another service must not be sent to this one.",
        )
    extras = Extras(conn_id, connection.extra, form()["conn-fields"])
    environment = extras.choice("environment", HOSTS) or "live"
    settings = {
        "auth_scheme": extras.choice("auth_scheme", _choices("auth_scheme")),
        "allow_key_in_url": extras.boolean("allow_key_in_url"),
        "allow_http": extras.boolean("allow_http"),
        "api_version": extras.text("api_version"),
        "content_type": content_type or extras.choice("content_type", _choices("content_type")),
        "allow_writes": extras.boolean("allow_writes"),
        "closed_until": extras.day("closed_until"),
        "connect_timeout": extras.seconds("connect_timeout"),
        "read_timeout": extras.seconds("read_timeout"),
        "total_deadline": extras.seconds("total_deadline"),
        "max_in_flight": extras.count("max_in_flight"),
        "verify": extras.verification("verify"),
        "proxies": extras.proxies("proxies"),
    }
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    host = _host(connection, conn_id) or HOSTS[environment]
    try:
        return ClientConfig(host=host, tenant=_tenant(connection), token=_token(connection, conn_id), **given)
    except ConfigurationError as error:
        # The client does not know which connection it was given.
        raise ConfigurationError(f"connection {conn_id}: {error.message}", advice=error.advice) from None


def _choices(name: str) -> list[str]:
    choices: list[str] = form()["conn-fields"][name]["schema"]["enum"]
    return choices


def _refusal(conn_id: str, field: str, problem: str, advice: str) -> ConfigurationError:
    return ConfigurationError(f"connection {conn_id}: {field} {problem}.", advice=advice)


def _host(connection: ConnectionLike, conn_id: str) -> str | None:
    """The host as it was given, with the field Port put into it; the client judges the rest."""
    host = str(connection.host or "").strip().rstrip("/")
    port = connection.port
    if not port:
        return host or None
    if not host:
        raise _refusal(conn_id, "Port", "is set without a Host", "Fill in Host, or empty Port.")
    try:
        named = urlsplit(host if "://" in host else f"//{host}").port
    except ValueError:
        return host
    if named is None:
        return f"{host}:{port}"
    if named != int(port):
        raise _refusal(conn_id, "Host", "names another port than the field Port", "Give the port once.")
    return host


def _tenant(connection: ConnectionLike) -> str:
    return str(connection.schema or "").strip()


def _token(connection: ConnectionLike, conn_id: str) -> str:
    token = str(connection.password or "").strip()
    if token and set(token) == {"*"}:
        raise _refusal(
            conn_id, "Token", "is only the mask that Airflow shows instead of it", "Enter the token itself once more."
        )
    return token
