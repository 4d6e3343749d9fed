from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import ConfigurationError


def config(**settings: Any) -> ClientConfig:
    return ClientConfig(**({"tenant": "demo", "token": "pat_example"} | settings))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("https://service.runmyaccounts.com", "https://service.runmyaccounts.com"),
        ("service.int.runmyaccounts.com", "https://service.int.runmyaccounts.com"),
        ("rma.example:8443/", "https://rma.example:8443"),
        (" rma.example ", "https://rma.example"),
        ("http://127.0.0.1:8756", "http://127.0.0.1:8756"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_base_url(host: str, address: str) -> None:
    assert config(host=host).base_url == f"{address}/api/latest/clients/demo"


def test_defaults_are_the_safe_ones() -> None:
    made = config()
    assert made.base_url == "https://service.runmyaccounts.com/api/latest/clients/demo"
    assert (made.auth_scheme, made.allow_writes, made.verify, made.max_in_flight) == ("bearer", False, True, 1)
    assert made.read_deadline == 1200.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "http://rma.example"}, "clear text"),
        ({"host": "https://rma.example/api"}, "path or query"),
        ({"host": "https://rma.example?x=1"}, "path or query"),
        ({"host": "https://rma.example#"}, "path or query"),
        ({"host": "https://user:geheim@rma.example"}, "user or password"),
        ({"host": "ftp://rma.example"}, "unknown scheme"),
        ({"host": "https://rma.example:port"}, "no address"),
        ({"host": ""}, "no address"),
        ({"host": "two words"}, "no address"),
        ({"tenant": ""}, "tenant is missing"),
        ({"tenant": None}, "tenant is missing"),
        ({"tenant": "a/b"}, "without blanks or slashes"),
        ({"tenant": ".."}, "without blanks or slashes"),
        ({"api_version": "v1/../x"}, "api_version"),
        ({"token": ""}, "token is missing"),
        ({"token": None}, "token is missing"),
        ({"token": "Bearer geheim"}, "without `Bearer`"),
        ({"token": "geheim\n"}, "line breaks"),
        ({"token": "gehéim"}, "ASCII"),
        ({"auth_scheme": "basic"}, "bearer, rma_key or query"),
        ({"auth_scheme": "query", "token": "geheim"}, "allow_key_in_url"),
        ({"auth_scheme": "query", "allow_key_in_url": True}, "pat_ key"),
        ({"content_type": "csv"}, "json or xml"),
        ({"allow_writes": "false"}, "allow_writes is neither true nor false"),
        ({"connect_timeout": 0}, "connect_timeout"),
        ({"read_timeout": -1.0}, "read_timeout"),
        ({"total_deadline": float("nan")}, "total_deadline"),
        ({"total_deadline": "120"}, "total_deadline"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"max_in_flight": True}, "max_in_flight"),
        ({"verify": ""}, "verify"),
        ({"closed_until": datetime(2026, 1, 1)}, "closed_until"),
        ({"proxies": {"https": "socks5://geheim@proxy.example"}}, "proxies"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(**settings)
    assert words in str(caught.value)
    assert "geh" not in str(caught.value)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"host .*; tenant .*; token .*"):
        config(host="https://rma.example/x", tenant="", token="")


@pytest.mark.parametrize("host", [None, 5, b"rma.example"])
def test_a_host_that_is_no_text_is_refused(host: Any) -> None:
    with pytest.raises(ConfigurationError, match="host is no text"):
        config(host=host)


@pytest.mark.parametrize("tenant", ["demo\u200b", "de\u00admo", "a%2Fb", "a;b", "a b", "a\u00a0b"])
def test_a_tenant_with_what_no_name_has_is_refused(tenant: str) -> None:
    with pytest.raises(ConfigurationError, match="tenant has characters"):
        config(tenant=tenant)


def test_tenants_are_named_as_they_are_written() -> None:
    assert config(tenant="Demo").base_url != config(tenant="demo").base_url


def test_clear_text_can_be_allowed() -> None:
    assert config(host="http://rma.example", allow_http=True).origin == "http://rma.example"


def test_secrets_are_not_shown() -> None:
    made = config(proxies={"https": "http://me:geheim@proxy.example"}, closed_until=date(2025, 12, 31))
    assert "pat_example" not in repr(made)
    assert "geheim" not in repr(made)
