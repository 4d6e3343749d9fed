"""Answers of the ledger in the documented shapes, served over HTTP, give the values that they state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import IncompleteResponseError
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.slices import SlicePlan
from airflow_provider_rma.ledger.postings.stream import read_postings, receive_postings
from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.balances import read_statement
from airflow_provider_rma.ledger.windows import MonthLoad, Window
from tests.support.payloads import Payloads, Posting
from tests.support.scripted_server import ScriptedServer, respond


def transactions(payloads: Payloads, posting: Posting, announced: int = 1) -> bytes:
    """The sample with one of its two postings: they lie in different months. It announces five and breaks off."""
    text = payloads.read("transactions-partial.xml").decode()
    head, *postings = text.split("<transaction>")
    (wanted,) = [text for text in postings if f"<reference>{posting.reference}<" in text]
    head = head.replace('"5"', f'"{announced}"')
    return f"{head}<transaction>{wanted.partition('</transaction>')[0]}</transaction></transactions>".encode()


@contextmanager
def serving(body: bytes) -> Iterator[RunMyAccountsClient]:
    """A client of a server that answers everything with this."""
    reply = respond(body=body, media_type="application/xml")
    with ScriptedServer([reply]) as server, RunMyAccountsClient(server.config()) as client:
        yield client


def read(body: bytes, window: Window) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with serving(body) as client:
        batches = PostingBatches(MonthLoad("demo", window, "load"), {"1000": "Kasse"})
        plan = SlicePlan(window)
        with receive_postings(client, plan, "xml") as received:
            read_postings(received, plan, batches, lambda batch: rows.extend(batch.to_pylist()))
    return rows


@pytest.mark.parametrize("number", [0, 1])
def test_documented_postings(payloads: Payloads, number: int) -> None:
    posting = payloads.postings[number]
    (row,) = read(transactions(payloads, posting), Window.of(posting.day))
    expected = {
        "voucher_id": posting.voucher_id, "accno": posting.accno, "transdate": posting.day, "amount": posting.amount,
        "debit": max(-posting.amount, Decimal(0)), "credit": max(posting.amount, Decimal(0)),
        "entry_id": posting.entry_id, "account_name": {"1000": "Kasse"}.get(posting.accno), "module": "ar",
        "reference": posting.reference, "description": None, "source": None, "memo": None, "notes": None,
        "intnotes": None, "extra": None,
    }  # fmt: skip
    expected |= payloads.department
    assert {name: row[name] for name in expected} == expected


def test_the_documented_sample_as_it_stands_is_incomplete(payloads: Payloads) -> None:
    """It announces five postings and shows two."""
    posting = payloads.postings[0]
    with pytest.raises(IncompleteResponseError, match="announced 5 entries and sent 1"):
        read(transactions(payloads, posting, announced=5), Window.of(posting.day))


def test_the_documented_trial_balance(payloads: Payloads) -> None:
    with serving(payloads.read("trial-balance-v2.xml")) as client:
        statement = read_statement(client, Window.of(payloads.postings[0].day), AccountKinds(), "xml")
    expected = {accno: Decimal(amount) for accno, amount in payloads.balances.items()}
    assert {accno: stated.closing for accno, stated in statement.accounts.items()} == expected
    assert all(stated.change == 0 and stated.basis == "to" for stated in statement.accounts.values())
    assert statement.names[next(iter(expected))] == payloads.first_account
