"""Faults on purpose: each does to the connection and to the books what it says, as often as it says."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.documents import invoice_request
from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("chaos") / "books.db", args=["--duplicates", "accept"]) as process:
        yield process


@pytest.fixture
def simulator(process: SimulatorProcess) -> Iterator[SimulatorProcess]:
    process.control("DELETE", "/requests")
    yield process
    process.control("DELETE", "/chaos")


def switch(simulator: SimulatorProcess, request_class: str, fault: str, **more: Any) -> None:
    simulator.control("POST", "/chaos", {"class": request_class, "fault": fault, **({"count": 1} | more)})


def raw(simulator: SimulatorProcess, path: str, *, form: str = "json", compress: bool = False) -> tuple[Any, bytes]:
    """Status line, headers and all bytes of a body, with nothing checked."""
    address = urlsplit(simulator.base)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    headers = {"Authorization": f"Bearer {simulator.token}", "Accept": f"application/{form}"}
    connection.request("GET", address.path + path, headers=headers | ({"Accept-Encoding": "gzip"} if compress else {}))
    answer = connection.getresponse()
    try:
        return answer, answer.read()
    except http.client.IncompleteRead as error:
        return answer, error.partial
    finally:
        connection.close()


def posted(simulator: SimulatorProcess, number: str) -> int:
    return len(simulator.documents(number))


def test_a_lost_reply_before_the_commit_leaves_no_document(simulator: SimulatorProcess) -> None:
    switch(simulator, "create_invoice", "lost")
    with pytest.raises(requests.ConnectionError):
        simulator.post("/invoices", invoice_request("C-1", "2026-05-01"))
    assert posted(simulator, "C-1") == 0
    assert simulator.post("/invoices", invoice_request("C-1", "2026-05-01")).status_code == 204
    counted = simulator.control("GET", "/requests")
    assert counted["received"] == {"POST /invoices": 2}
    assert counted["answered"] == {"POST /invoices lost": 1, "POST /invoices 204": 1}


def test_a_lost_reply_after_the_commit_leaves_the_document(simulator: SimulatorProcess) -> None:
    switch(simulator, "create_invoice", "lost", after_commit=True)
    with pytest.raises(requests.ConnectionError):
        simulator.post("/invoices", invoice_request("C-2", "2026-05-01"))
    assert posted(simulator, "C-2") == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_server_error_before_or_after_the_commit(simulator: SimulatorProcess, after: bool) -> None:
    switch(simulator, "create_invoice", "error", after_commit=after)
    number = f"C-3-{after}"
    answer = simulator.post("/invoices", invoice_request(number, "2026-05-01"))
    assert (answer.status_code, answer.json()) == (500, {"error": "Interner Serverfehler."})
    assert posted(simulator, number) == int(after)


def test_a_slow_commit_happens_although_the_client_has_gone(simulator: SimulatorProcess) -> None:
    switch(simulator, "create_invoice", "slow_commit", seconds=1.5)
    with pytest.raises(requests.Timeout):
        requests.post(
            f"{simulator.base}/invoices",
            json=invoice_request("C-4", "2026-05-01"),
            headers={"Authorization": f"Bearer {simulator.token}"},
            timeout=0.15,
        )
    assert posted(simulator, "C-4") == 0, "not yet"
    limit = time.monotonic() + 30
    while posted(simulator, "C-4") == 0 and time.monotonic() < limit:
        time.sleep(0.05)
    assert posted(simulator, "C-4") == 1


def test_a_slow_commit_still_answers_who_waits(simulator: SimulatorProcess) -> None:
    switch(simulator, "save_customer", "slow_commit", seconds=0.2)
    started = time.monotonic()
    assert simulator.post("/customers", {"customernumber": "K-70", "name": "Geduld"}).status_code == 204
    assert time.monotonic() - started >= 0.2


def test_a_slow_answer_arrives_in_drops(simulator: SimulatorProcess) -> None:
    switch(simulator, "read_departments", "slow_answer", seconds=0.3)
    started = time.monotonic()
    answer, body = raw(simulator, "/departments", form="xml")
    assert time.monotonic() - started >= 0.25
    assert body == raw(simulator, "/departments", form="xml")[1]
    assert int(answer.headers["Content-Length"]) == len(body)
    switch(simulator, "create_invoice", "slow_answer", seconds=0.2)
    assert simulator.post("/invoices", invoice_request("C-5", "2026-05-01")).status_code == 204
    assert posted(simulator, "C-5") == 1


def test_too_many_requests_says_when_to_come_back(simulator: SimulatorProcess) -> None:
    switch(simulator, "read", "too_many_requests", retry_after=7)
    answer = simulator.get("/departments")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.text.startswith('{ "error": "')
    assert simulator.get("/departments").status_code == 200


def test_a_page_of_html_instead_of_the_answer(simulator: SimulatorProcess) -> None:
    switch(simulator, "any", "html")
    answer = simulator.get("/departments")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    switch(simulator, "any", "html", status=502)
    assert simulator.get("/departments").status_code == 502


@pytest.mark.parametrize("after", [False, True])
def test_a_firewall_or_a_refusal_without_a_body_before_or_after_the_commit(
    simulator: SimulatorProcess, after: bool
) -> None:
    for fault, status in (("html", 403), ("no_body", 409)):
        switch(simulator, "create_invoice", fault, after_commit=after, status=status)
        number = f"C-7-{fault}-{after}"
        answer = simulator.post("/invoices", invoice_request(number, "2026-05-01"))
        assert (answer.status_code, bool(answer.content)) == (status, fault == "html")
        assert posted(simulator, number) == int(after)


def test_a_repeated_delivery_is_booked_twice(simulator: SimulatorProcess) -> None:
    switch(simulator, "create_invoice", "repeated")
    assert simulator.post("/invoices", invoice_request("C-8", "2026-05-01")).status_code == 204
    assert posted(simulator, "C-8") == 2
    assert simulator.control("GET", "/requests")["received"]["POST /invoices"] == 1


@pytest.mark.parametrize("status", [100, 102, 103])
def test_an_interim_answer_comes_before_the_answer(simulator: SimulatorProcess, status: int) -> None:
    switch(simulator, "create_invoice", "interim", status=status)
    address = urlsplit(simulator.base)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as connection:
        body = json.dumps(invoice_request(f"C-9-{status}", "2026-05-01")).encode()
        head = f"POST {address.path}/invoices HTTP/1.1\r\nHost: rma\r\nAuthorization: Bearer {simulator.token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert [line for line in received.split(b"\r\n") if line.startswith(b"HTTP")] == [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(),
        b"HTTP/1.1 204 No Content",
    ]
    assert posted(simulator, f"C-9-{status}") == 1


def test_a_partial_answer_says_so(simulator: SimulatorProcess) -> None:
    _, whole = raw(simulator, "/charts")
    for at in (None, 10):
        switch(simulator, "read_charts", "partial", at=at)
        answer, body = raw(simulator, "/charts")
        assert (answer.status, body) == (206, whole[: len(whole) // 2 if at is None else at])
    switch(simulator, "create_invoice", "partial")
    assert simulator.post("/invoices", invoice_request("C-10", "2026-05-01")).status_code == 206
    assert posted(simulator, "C-10") == 1


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_short_list_is_whole_in_its_form(simulator: SimulatorProcess, form: str) -> None:
    year = {"json": 2031, "xml": 2032}[form]
    numbers = [f"C-11-{form}", f"C-12-{form}", f"C-13-{form}"]
    for number in numbers:
        simulator.post("/invoices", invoice_request(number, f"{year}-05-01"))
    path = f"/invoices?from={year}-01-01&to={year}-12-31"
    for at, expected in ((None, 0), (2, 2), (9, 3)):
        switch(simulator, "read_invoices", "short_list", at=at)
        answer, body = raw(simulator, path, form=form)
        assert answer.status == 200
        assert sum(body.count(number.encode()) for number in numbers) == expected


def test_a_redirect(simulator: SimulatorProcess) -> None:
    switch(simulator, "any", "redirect")
    answer = simulator.get("/departments")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("framing", ["content_length", "chunked", "close", "intact"])
def test_a_truncated_body_in_every_framing(simulator: SimulatorProcess, framing: str, form: str) -> None:
    _, whole = raw(simulator, "/charts", form=form)
    for at in (1, len(whole) - 1, None):
        switch(simulator, "read_charts", "truncated", framing=framing, at=at)
        answer, body = raw(simulator, "/charts", form=form)
        assert body == whole[: len(whole) // 2 if at is None else at]
        length = answer.headers["Content-Length"]
        if framing == "content_length":
            assert int(length) == len(whole)
        elif framing == "intact":
            assert int(length) == len(body)
        else:
            assert length is None
            assert (answer.headers["Transfer-Encoding"] == "chunked") is (framing == "chunked")


@pytest.mark.parametrize("framing", ["content_length", "chunked"])
def test_requests_notices_a_truncated_body(simulator: SimulatorProcess, framing: str) -> None:
    switch(simulator, "read_charts", "truncated", framing=framing)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        simulator.get("/charts")


def test_a_truncated_long_list_and_a_truncated_gzip_stream(simulator: SimulatorProcess) -> None:
    for place in range(60):
        assert simulator.post("/invoices", invoice_request(f"T-{place}", "2020-02-02")).status_code == 204
    switch(simulator, "read_invoices", "truncated", framing="intact", at=70_000)
    assert len(raw(simulator, "/invoices")[1]) == 70_000
    simulator.control("PATCH", "/settings", {"compress": True})
    try:
        whole = raw(simulator, "/invoices", compress=True)[1]
        switch(simulator, "read_invoices", "truncated", framing="intact")
        assert raw(simulator, "/invoices", compress=True)[1] == whole[: len(whole) // 2]
        assert whole.startswith(b"\x1f\x8b")
    finally:
        simulator.control("PATCH", "/settings", {"compress": False})


def test_an_empty_answer_is_truncated_in_its_first_line(simulator: SimulatorProcess) -> None:
    switch(simulator, "create_invoice", "truncated")
    with pytest.raises(requests.ConnectionError):
        simulator.post("/invoices", invoice_request("C-6", "2026-05-01"))
    assert posted(simulator, "C-6") == 1


def test_rules_are_shown_with_what_they_did_and_are_tried_in_order(simulator: SimulatorProcess) -> None:
    switch(simulator, "read_parts", "error", skip=1, count=2)
    switch(simulator, "read", "too_many_requests", count=1)
    assert [simulator.get("/parts").status_code for _ in range(5)] == [429, 500, 500, 200, 200]
    rules = simulator.control("GET", "/chaos")["rules"]
    assert [(rule["class"], rule["seen"], rule["fired"]) for rule in rules] == [("read_parts", 5, 2), ("read", 3, 1)]
    assert simulator.control("DELETE", "/chaos") == {"rules": []}


def test_a_fault_does_not_break_the_next_request_on_other_connections(simulator: SimulatorProcess) -> None:
    with requests.Session() as session:
        headers = {"Authorization": f"Bearer {simulator.token}"}
        address = f"{simulator.base}/departments"
        assert session.get(address, headers=headers, timeout=10).status_code == 200
        switch(simulator, "read_departments", "lost")
        with pytest.raises(requests.ConnectionError):
            session.get(address, headers=headers, timeout=10)
        assert session.get(address, headers=headers, timeout=10).status_code == 200
    assert simulator.control("GET", "/requests")["received"] == {"GET /departments": 3}
    assert "Traceback" not in simulator.stderr()
