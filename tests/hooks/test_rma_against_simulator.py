"""The hook against a local RMA: what the button says there, and what the client it gives can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.exceptions import WritesNotAllowedError
from airflow_provider_rma.hooks.rma import RunMyAccountsHook
from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def rma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("rma") / "books.db") as process:
        yield process


@pytest.fixture
def connection(rma: SimulatorProcess, monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(**fields: Any) -> RunMyAccountsHook:
        values = {"conn_type": "rma", "host": rma.url, "schema": rma.tenant, "password": rma.token, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps(values))
        return RunMyAccountsHook()

    return connect


@pytest.mark.parametrize("content_type", ["json", "xml"])
def test_the_button_is_content(connection: Any, content_type: str) -> None:
    good, sentence = connection(extra={"content_type": content_type}).test_connection()
    assert good, sentence


@pytest.mark.parametrize("extra", [{"auth_scheme": "rma_key"}, {"auth_scheme": "query", "allow_key_in_url": True}])
def test_the_older_schemes_open_older_installations_only(
    connection: Any, tmp_path: Path, extra: dict[str, Any]
) -> None:
    with SimulatorProcess(tmp_path / "books.db", token="legacykey12345", args=["--legacy-auth"]) as older:
        good, sentence = connection(host=older.url, password=older.token, extra=extra).test_connection()
        assert good, sentence
    good, sentence = connection(password="legacykey12345", extra=extra).test_connection()
    assert not good
    assert "authentication scheme bearer" in sentence
    assert "legacykey12345" not in sentence


def test_a_wrong_token(connection: Any) -> None:
    good, sentence = connection(password="pat_wrong_one").test_connection()
    assert not good
    assert "refused the token" in sentence
    assert "pat_wrong_one" not in sentence


def test_a_tenant_that_the_token_does_not_open(connection: Any, rma: SimulatorProcess) -> None:
    good, sentence = connection(schema="nobody").test_connection()
    assert not good
    assert "tenant nobody" in sentence
    rma.control("PATCH", "/settings", {"unknown_tenant": 404})
    good, sentence = connection(schema="nobody").test_connection()
    assert not good
    assert "no tenant nobody" in sentence


def test_a_connection_that_is_not_armed_posts_nothing(connection: Any) -> None:
    with connection().get_conn() as client:
        before = client.list_customers()
        with pytest.raises(WritesNotAllowedError, match="allow_writes"):
            client.save_customer({"customernumber": "9001", "name": "Muster Beispiel AG"})
        assert client.list_customers() == before


def test_an_armed_connection_posts(connection: Any) -> None:
    with connection(extra={"allow_writes": True}).get_conn() as client:
        client.save_customer({"customernumber": "9002", "name": "Prüfbetrieb GmbH"})
        assert client.get_customer("9002")["name"] == "Prüfbetrieb GmbH"
