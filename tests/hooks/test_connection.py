"""An Airflow connection becomes the client's configuration: every field, every wrong value, never a secret shown."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.get_provider_info import get_provider_info
from airflow_provider_rma.hooks.rma import RunMyAccountsHook
from tests.support.airflow_versions import HAS_AIRFLOW_32

TOKEN = "pat_example_0123456789"
EXTRAS = list(get_provider_info()["connection-types"][0]["conn-fields"])


class Connect:
    """Puts a connection into the environment and reads it through the hook."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def hook(self, *, extra: Any = None, content_type: str | None = None, **fields: Any) -> RunMyAccountsHook:
        values = {"conn_type": "rma", "schema": "demo", "password": TOKEN, "extra": extra or {}, **fields}
        self._monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(values))
        return RunMyAccountsHook(content_type=content_type)

    def config(self, **fields: Any) -> ClientConfig:
        return self.hook(**fields).config

    def refusal(self, **fields: Any) -> str:
        with pytest.raises(ConfigurationError) as caught:
            _ = self.config(**fields)
        text = str(caught.value)
        assert "rma_default" in text
        assert TOKEN not in text
        return text


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    return Connect(monkeypatch)


def test_making_a_hook_looks_nothing_up() -> None:
    hook = RunMyAccountsHook("no_such_connection")
    assert hook.rma_conn_id == "no_such_connection"


def test_the_least_connection(connect: Connect) -> None:
    config = connect.config()
    assert config == ClientConfig(tenant="demo", token=TOKEN)
    assert config.host == "https://service.runmyaccounts.com"
    assert config.allow_writes is False


def test_the_connection_is_looked_up_once(connect: Connect) -> None:
    hook = connect.hook()
    first = hook.config
    connect.hook(schema="other")
    assert hook.config is first


def test_every_extra_arrives(connect: Connect) -> None:
    config = connect.config(
        host="rma.example.com",
        port=8443,
        extra={
            "environment": "sandbox",
            "auth_scheme": "rma_key",
            "allow_key_in_url": True,
            "allow_http": True,
            "api_version": "v9",
            "content_type": "xml",
            "allow_writes": True,
            "closed_until": "2025-12-31",
            "connect_timeout": 1.5,
            "read_timeout": 20,
            "total_deadline": 90,
            "max_in_flight": 3,
            "verify": False,
            "proxies": {"https": "http://proxy.example.com:3128"},
        },
    )
    assert config == ClientConfig(
        host="rma.example.com:8443",
        tenant="demo",
        token=TOKEN,
        auth_scheme="rma_key",
        allow_key_in_url=True,
        allow_http=True,
        api_version="v9",
        content_type="xml",
        allow_writes=True,
        closed_until=datetime.date(2025, 12, 31),
        connect_timeout=1.5,
        read_timeout=20.0,
        total_deadline=90.0,
        max_in_flight=3,
        verify=False,
        proxies={"https": "http://proxy.example.com:3128"},
    )
    assert config.origin == "https://rma.example.com:8443"


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_an_empty_extra_is_not_set(connect: Connect, empty: str | None) -> None:
    assert connect.config(extra=dict.fromkeys(EXTRAS, empty)) == ClientConfig(tenant="demo", token=TOKEN)


#: Airflow 3.1 logs what is wrong with such an extra, and says that there is no such connection.
refused_by_airflow_31 = pytest.mark.skipif(not HAS_AIRFLOW_32, reason="Airflow 3.1 itself refuses such an extra")


@pytest.mark.parametrize(
    "text", ["", pytest.param("null", marks=refused_by_airflow_31), pytest.param("  ", marks=refused_by_airflow_31)]
)
def test_no_extras_at_all(connect: Connect, text: str) -> None:
    assert connect.config(extra=text) == ClientConfig(tenant="demo", token=TOKEN)


def test_strings_stand_for_what_they_say(connect: Connect) -> None:
    config = connect.config(
        extra={
            "allow_writes": "True",
            "allow_http": "yes",
            "allow_key_in_url": "0",
            "max_in_flight": "4",
            "read_timeout": "12.5",
            "content_type": "XML",
            "verify": "false",
            "proxies": '{"https": "http://proxy.example.com:3128", "http": null}',
        }
    )
    assert (config.allow_writes, config.allow_http, config.allow_key_in_url) == (True, True, False)
    assert (config.max_in_flight, config.read_timeout, config.content_type) == (4, 12.5, "xml")
    assert config.verify is False
    assert config.proxies == {"https": "http://proxy.example.com:3128"}


def test_a_uri_works_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_RMA_DEFAULT", f"rma://:{TOKEN}@rma.example.com:8443/demo?allow_writes=true&max_in_flight=2"
    )
    config = RunMyAccountsHook().config
    assert config.origin == "https://rma.example.com:8443"
    assert (config.tenant, config.token, config.allow_writes, config.max_in_flight) == ("demo", TOKEN, True, 2)


def test_one_proxy_address_serves_both_schemes(connect: Connect) -> None:
    address = "http://proxy.example.com:3128"
    assert connect.config(extra={"proxies": address}).proxies == {"http": address, "https": address}


def test_verify_may_name_a_file(connect: Connect) -> None:
    assert connect.config(extra={"verify": "/etc/ssl/example.pem"}).verify == "/etc/ssl/example.pem"


def test_a_file_of_certificates_that_does_not_exist_is_named_when_the_client_is_made(connect: Connect) -> None:
    hook = connect.hook(extra={"verify": "/nowhere/example.pem"})
    with pytest.raises(ConfigurationError, match="verify"):
        hook.get_conn()


@pytest.mark.parametrize(
    ("environment", "host", "origin"),
    [
        (None, None, "https://service.runmyaccounts.com"),
        ("live", "", "https://service.runmyaccounts.com"),
        ("sandbox", None, "https://service.int.runmyaccounts.com"),
        ("Sandbox", " ", "https://service.int.runmyaccounts.com"),
        ("live", "service.int.runmyaccounts.com", "https://service.int.runmyaccounts.com"),
        ("sandbox", "https://rma.example.com/", "https://rma.example.com"),
    ],
)
def test_the_environment_gives_the_host_only_where_none_is_set(
    connect: Connect, environment: str | None, host: str | None, origin: str
) -> None:
    assert connect.config(host=host, extra={"environment": environment}).origin == origin


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("https://service.runmyaccounts.com", None),
        ("SERVICE.runmyaccounts.com.:443", None),
        ("service.runmyaccounts.com", 443),
        ("service.runmyaccounts.com", 8443),
    ],
)
def test_the_live_service_is_no_sandbox(connect: Connect, host: str, port: int | None) -> None:
    text = connect.refusal(host=host, port=port, extra={"environment": "sandbox"})
    assert "says sandbox, and Host is the address of the live service" in text
    assert "Empty Host" in text


@pytest.mark.parametrize(
    ("environment", "port", "origin"),
    [
        ("live", 443, "https://service.runmyaccounts.com"),
        ("sandbox", 443, "https://service.int.runmyaccounts.com"),
        ("sandbox", 8443, "https://service.int.runmyaccounts.com:8443"),
        (None, 8443, "https://service.runmyaccounts.com:8443"),
    ],
)
def test_a_port_without_a_host_is_the_environments(
    connect: Connect, environment: str | None, port: int, origin: str
) -> None:
    assert connect.config(port=port, extra={"environment": environment}).origin == origin


@pytest.mark.parametrize("host", ["RMA.example", "rma.example:443", "rma.example.", "HTTPS://rma.example/"])
def test_two_connections_to_one_service_have_one_origin(connect: Connect, host: str) -> None:
    assert connect.config(host=host).origin == connect.config(host="rma.example").origin


@pytest.mark.parametrize(
    ("host", "port", "origin"),
    [
        ("rma.example.com", None, "https://rma.example.com"),
        ("rma.example.com:9000", None, "https://rma.example.com:9000"),
        ("rma.example.com", 9000, "https://rma.example.com:9000"),
        ("https://rma.example.com:9000", 9000, "https://rma.example.com:9000"),
        ("http://127.0.0.1", 8756, "http://127.0.0.1:8756"),
        ("http://127.0.0.1:8756/", None, "http://127.0.0.1:8756"),
        ("https://[::1]", 8756, "https://[::1]:8756"),
    ],
)
def test_host_and_port(connect: Connect, host: str, port: int | None, origin: str) -> None:
    assert connect.config(host=host, port=port).origin == origin


def test_blanks_around_tenant_and_token_do_not_matter(connect: Connect) -> None:
    config = connect.config(schema=" demo\n", password=f" {TOKEN}\n")
    assert (config.tenant, config.token) == ("demo", TOKEN)


def test_the_call_wins_over_the_connection_in_its_content_type(connect: Connect) -> None:
    assert connect.hook(extra={"content_type": "json"}, content_type="xml").config.content_type == "xml"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schema": None}, "tenant"),
        ({"schema": " "}, "tenant"),
        ({"schema": "demo/invoices"}, "tenant"),
        ({"password": None}, "token"),
        ({"password": "***"}, "mask"),
        ({"password": f"Bearer {TOKEN}"}, "token"),
        ({"host": "rma.example.com:9000", "port": 8443}, "port"),
        ({"host": "ftp://rma.example.com"}, "scheme"),
        ({"host": "http://rma.example.com"}, "allow_http"),
        ({"host": "https://rma.example.com/api/latest"}, "path"),
        ({"host": f"https://user:{TOKEN}@rma.example.com"}, "password"),
        ({"host": "https://rma.example.com:port", "port": 1}, "host"),
        ({"conn_type": "http"}, "'http'"),
        ({"conn_type": "http"}, "type 'rma'"),
        pytest.param({"extra": "not json"}, "JSON object", marks=refused_by_airflow_31),
        pytest.param({"extra": "[1]"}, "JSON object", marks=refused_by_airflow_31),
    ],
)
def test_a_wrong_field_is_named(connect: Connect, fields: dict[str, Any], said: str) -> None:
    assert said in connect.refusal(**fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment", "production"),
        ("environment", 1),
        ("auth_scheme", "basic"),
        ("allow_key_in_url", "perhaps"),
        ("allow_http", 2),
        ("allow_writes", "ja"),
        ("allow_writes", []),
        ("api_version", 1),
        ("api_version", "latest/x"),
        ("content_type", "yaml"),
        ("closed_until", "31.12.2025"),
        ("closed_until", "2025-02-30"),
        ("closed_until", "20251231"),
        ("closed_until", 20251231),
        ("connect_timeout", 0),
        ("connect_timeout", -1),
        ("read_timeout", "soon"),
        ("read_timeout", True),
        ("total_deadline", float("inf")),
        ("total_deadline", float("nan")),
        ("total_deadline", "1e999"),
        ("max_in_flight", 0),
        ("max_in_flight", 1.5),
        ("max_in_flight", True),
        ("max_in_flight", "many"),
        ("verify", 7),
        ("proxies", "proxy.example.com"),
        ("proxies", "http://[::1"),
        ("proxies", "{broken"),
        ("proxies", ["http://proxy.example.com"]),
        ("proxies", {"ftp": "http://proxy.example.com"}),
        ("proxies", {"https": 3128}),
    ],
)
def test_a_wrong_extra_is_named_and_not_quoted(connect: Connect, name: str, value: Any) -> None:
    text = connect.refusal(extra={name: value})
    assert name in text
    assert any(remedy in text for remedy in ("Write ", "Choose ", "use latest", "Correct the connection"))


@pytest.mark.parametrize("name", [name for name in EXTRAS if name != "verify"])
def test_a_token_in_the_wrong_place_is_not_shown(connect: Connect, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _ = connect.config(extra={name: f"http://{TOKEN}:{TOKEN}@"})
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value)


def test_a_proxy_with_a_password_is_refused(connect: Connect) -> None:
    text = connect.refusal(extra={"proxies": "http://user:hunter2secret@proxy.example.com:3128"})
    assert "password" in text
    assert "hunter2secret" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("allow_write", "'allow_writes'"),
        ("Allow-Writes", "'allow_writes'"),
        ("timeout", "'read_timeout'"),
        ("close_until", "'closed_until'"),
        ("token", "Token"),
        ("api_key", "Token"),
        ("mandant", "Tenant (Mandant)"),
        ("base_url", "Host"),
        ("zzz", "Known are"),
    ],
)
def test_an_unknown_extra_is_named_with_what_was_probably_meant(connect: Connect, name: str, said: str) -> None:
    text = connect.refusal(extra={name: TOKEN})
    assert repr(name) in text
    assert said in text


def test_the_key_travels_in_the_address_only_where_that_is_allowed(connect: Connect) -> None:
    key = "legacykey12345"
    with pytest.raises(ConfigurationError, match="allow_key_in_url"):
        _ = connect.config(password=key, extra={"auth_scheme": "query"})
    config = connect.config(password=key, extra={"auth_scheme": "query", "allow_key_in_url": True})
    assert config.auth_scheme == "query"


def test_no_secret_in_the_representation_of_what_the_hook_gives(connect: Connect) -> None:
    hook = connect.hook()
    assert TOKEN not in repr(hook.config)
    with hook.get_conn() as client:
        assert TOKEN not in repr(client)
    assert TOKEN not in repr(hook)


def test_airflow_gives_the_hook_of_the_connection_type(connect: Connect) -> None:
    connect.hook()
    hook = RunMyAccountsHook.get_hook("rma_default")
    assert isinstance(hook, RunMyAccountsHook)
    assert hook.config.tenant == "demo"
