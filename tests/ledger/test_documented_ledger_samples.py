"""The documented samples of the ledger, served over HTTP, give the documented values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.slices import RestartMonthError, SlicePlan
from airflow_provider_rma.ledger.postings.stream import read_postings, receive_postings
from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.balances import read_statement
from airflow_provider_rma.ledger.windows import Window
from tests.support.scripted_server import ScriptedServer, answer

WINDOWS = {"R-001": Window.of(date(2015, 10, 22)), "A1.3": Window.of(date(2017, 3, 2))}


def transactions(shared_dir: Path, reference: str, announced: int = 1) -> bytes:
    """The sample with one of its two postings: they lie in different months. It announces five and breaks off."""
    text = (shared_dir / "rma-api/examples/transactions-partial.xml").read_text(encoding="utf-8")
    head, *postings = text.split("<transaction>")
    (wanted,) = [posting for posting in postings if f"<reference>{reference}<" in posting]
    head = head.replace('"5"', f'"{announced}"')
    return f"{head}<transaction>{wanted.partition('</transaction>')[0]}</transaction></transactions>".encode()


@contextmanager
def serving(body: bytes) -> Iterator[RunMyAccountsClient]:
    """A client of a server that answers everything with this."""
    reply = answer(body=body, media_type="application/xml")
    with ScriptedServer([reply]) as server, RunMyAccountsClient(server.config()) as client:
        yield client


def read(body: bytes, window: Window) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with serving(body) as client:
        batches = PostingBatches("demo", window, "load", {"1000": "Kasse"})
        plan = SlicePlan(window)
        with receive_postings(client, plan, "xml") as received:
            read_postings(received, plan, batches, lambda batch: rows.extend(batch.to_pylist()))
    return rows


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("R-001", {"voucher_id": 10204, "accno": "1000", "account_name": "Kasse", "transdate": date(2015, 10, 22),
                   "amount": Decimal(-50), "debit": Decimal(50), "entry_id": 102}),
        ("A1.3", {"voucher_id": 10246, "accno": "1020", "account_name": None, "transdate": date(2017, 3, 2),
                  "amount": Decimal("-106.92"), "debit": Decimal("106.92"), "entry_id": 145}),
    ],
)  # fmt: skip
def test_documented_postings(shared_dir: Path, reference: str, expected: dict[str, Any]) -> None:
    (row,) = read(transactions(shared_dir, reference), WINDOWS[reference])
    common = {
        "module": "ar", "reference": reference, "credit": 0, "description": None, "source": None, "memo": None,
        "notes": None, "intnotes": None, "department_id": 10319, "department_name": "Entwickliung",
        "department_role": "P", "extra": None,
    }  # fmt: skip
    assert {name: row[name] for name in expected | common} == expected | common


def test_the_documented_sample_as_it_stands_is_incomplete(shared_dir: Path) -> None:
    """It announces five postings and shows two."""
    with pytest.raises(RestartMonthError, match="announced 5 entries and sent 1"):
        read(transactions(shared_dir, "R-001", announced=5), WINDOWS["R-001"])


def test_the_documented_trial_balance(shared_dir: Path) -> None:
    body = (shared_dir / "rma-api/examples/trial-balance-v2.xml").read_bytes()
    with serving(body) as client:
        statement = read_statement(client, WINDOWS["R-001"], AccountKinds(), "xml")
    assert {accno: stated.closing for accno, stated in statement.accounts.items()} == {
        "2010": Decimal("41557.65"), "2011": Decimal("-12827.85"), "2012": Decimal("7723.70"),
        "2013": Decimal(4776), "2014": Decimal("2731.30"),
    }  # fmt: skip
    assert all(stated.change == 0 and stated.basis == "to" for stated in statement.accounts.values())
    assert statement.names["2010"] == "Verbindlichkeiten für AHV"
