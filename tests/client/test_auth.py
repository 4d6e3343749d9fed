"""The key goes where its scheme puts it, and into no log."""

from __future__ import annotations

import http.client

import pytest

from tests.support.http_client import OK, SECRET, make_client, request_error
from tests.support.scripted_server import (
    ScriptedServer,
    raw,
    reset,
)

pytestmark = pytest.mark.usefixtures("no_secret_leaves")


@pytest.mark.parametrize(
    ("scheme", "header", "value"),
    [("bearer", "authorization", f"Bearer {SECRET}"), ("rma_key", "x-rma-key", SECRET)],
)
def test_the_key_goes_into_the_header_of_its_scheme(scheme: str, header: str, value: str) -> None:
    with ScriptedServer([OK]) as server, make_client(server, auth_scheme=scheme) as client:
        client.ping()
    (seen,) = server.seen
    assert seen.headers[header] == value
    assert seen.target == "/api/latest/clients/demo/departments"
    assert SECRET not in repr(client)
    assert SECRET not in repr(client.config)


def test_the_key_in_the_query_reaches_the_server_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    token = "legacy&key"
    with ScriptedServer([OK, reset]) as server:
        client = make_client(server, auth_scheme="query", allow_key_in_url=True, token=token)
        client.ping()
        assert server.seen[0].target.endswith("/departments?api_key=legacy%26key")
        assert "authorization" not in server.seen[0].headers
        request_error(client.ping)
        client.close()
    assert "legacy" not in caplog.text


def test_a_malformed_header_does_not_bring_the_key_into_a_log(caplog: pytest.LogCaptureFixture) -> None:
    token = "legacy-key"
    malformed = raw(b"HTTP/1.1 200 OK\r\nno header at all\r\nA: b\r\nContent-Length: 2\r\n\r\n{}")
    settings = {"auth_scheme": "query", "allow_key_in_url": True, "token": token}
    with ScriptedServer([malformed]) as server, make_client(server, **settings) as client:
        client.ping()
    assert "Failed to parse headers" in caplog.text
    assert "legacy" not in caplog.text


def test_debugging_of_the_whole_process_prints_no_header(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with ScriptedServer([OK]) as server, make_client(server) as client:
        client.ping()
    assert capsys.readouterr().out == ""
