"""The page for a person: what it says, and that it is sound HTML that loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser

import pytest
import requests

from airflow_provider_rma.simulator.http.page import format_money
from tests.support.documents import gl_voucher, invoice_request
from tests.support.simulator import SimulatorProcess

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Reader(HTMLParser):
    """Text of a page, its tags, and whether every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def read(simulator: SimulatorProcess) -> tuple[str, Reader]:
    answer = requests.get(simulator.url + "/", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    reader = Reader()
    reader.feed(answer.text)
    assert reader.open == []
    return re.sub(r"\s+", " ", " ".join(reader.words)), reader


@pytest.fixture
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("page") / "books.db", tenant="hütte-1") as process:
        process.control("PATCH", "/settings", {"today": "2026-06-15"})
        yield process


def test_empty_books(simulator: SimulatorProcess) -> None:
    text, _ = read(simulator)
    assert "Nothing has been posted yet." in text
    assert "Nothing is open." in text
    assert "in balance" in text


def test_accounts_vouchers_and_open_invoices(simulator: SimulatorProcess) -> None:
    simulator.control("POST", "/customers", {"customernumber": "K-5", "name": "<b>Käser & Söhne</b>"})
    simulator.control("POST", "/invoices", {**_neutral("R-1", "2026-05-01", "2026-05-31", "1234.5")})
    simulator.control("POST", "/invoices", {**_neutral("R-2", "2026-06-01", None, "-20.00")})
    simulator.control("POST", "/gl", gl_voucher("G-1", "2026-06-02", "6000", "1020", "1000000.00"))
    simulator.control("PUT", "/close-date", {"day": "2025-12-31"})
    text, reader = read(simulator)
    assert "tenant hütte-1" in text
    assert "Steinbock Hüttenbedarf AG" in text
    assert "closed up to 31.12.2025" in text
    assert "<b>Käser & Söhne</b>" in text, "escaped, not interpreted"
    assert "1 Assets \N{MINUS SIGN}998'785.50" in text
    assert re.search(r"1020 Bank \N{MINUS SIGN}1'000'000\.00", text)
    assert re.search(r"6000 Mietzins 1'000'000\.00", text)
    assert re.search(r"Invoice R-1.*1100 Forderungen Schweiz 1'234\.50", text)
    assert "Credit note R-2" in text
    assert "15 days over" in text
    assert "2 open invoices" in text
    headings = [tag for tag, _ in reader.tags if tag in ("h1", "h2")]
    assert headings == ["h1", "h2", "h2", "h2"]


def test_out_of_balance_is_shown(simulator: SimulatorProcess) -> None:
    number = simulator.control("POST", "/gl", gl_voucher("G-1", "2026-06-02", "6000", "1020", "10.00"))["id"]
    simulator.control("POST", f"/documents/{number}/unbalance", {"amount": "0.01"})
    text, _ = read(simulator)
    assert "the books are out of balance" in text


def test_the_page_loads_nothing_and_has_names_for_its_parts(simulator: SimulatorProcess) -> None:
    simulator.control("POST", "/invoices", {**_neutral("R-1", "2026-05-01", "2026-05-31", "5")})
    _, reader = read(simulator)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.tags}
    assert not [attrs for _, attrs in reader.tags if str(attrs.get("href", "#")).startswith(("http", "//"))]
    assert ("html", {"lang": "en"}) in reader.tags
    assert all(attrs.get("scope") for tag, attrs in reader.tags if tag == "th")
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [str(attrs["href"])[1:] for tag, attrs in reader.tags if tag == "a"]
    assert set(targets) <= set(ids)


def _neutral(number: str, day: str, due: str | None, price: str) -> dict[str, object]:
    given = invoice_request(number, day, customer="K-001", price=price)
    line = given.pop("parts")["part"]
    return (
        given
        | {"duedate": due, "customernumber": "K-5" if number != "R-3" else "K-001", "lines": [line]}
        | ({"customernumber": "K-001"} if price == "5" else {})
    )


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1234.5", "1'234.50"), ("0", "0.00"), ("-1000000", "\N{MINUS SIGN}1'000'000.00"), ("0.125", "0.125")],
)
def test_swiss_amounts(amount: str, text: str) -> None:
    assert format_money(Decimal(amount)) == text
