"""Whatever bytes answer one of a month's requests: the month is proven or has failed with one of our errors, and the
months beside it have their turn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.exceptions import RunMyAccountsError, UnprovenError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.company import Company, start
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy
from tests.support.scope import IS_WHOLE

#: Requests for a month in the middle: its chart, its balances, its postings.
REQUESTS = ["/charts$|/charts\\?", "saldo.*from=2026-02-01", "saldo.*to=2026-02-28", "x/transactions.*2026-02"]
PIECES = [
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xfc", b"\\ud83d", b"\\u0000", b"&#0;", b"&amp;", b"<![CDATA[",
    b"]]>", b"<!--", b"<!DOCTYPE a>", b"<?xml", b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"NaN", b"1e999",
    b"1e22", b"-0.0", b"9" * 5_000, b"9" * 17, b"0" * 40 + b".1", b"<a/>", b"</transaction>", b"<transaction/>", b"{}",
    b" " * 70_000, b"true", b"1,5", b"2026-13-45", b"9999-99-99T00:00:00", b"\xe2\x80\xae", b"number_of_transaction",
    b"@",
]  # fmt: skip
CASES = 400 if IS_WHOLE else 40


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with start(tmp_path_factory.mktemp("bytes")) as simulator:
        company = Company(simulator)
        company.voucher("GL-1", "2026-01-01", "1020", "2800", "1000")
        company.voucher("GL-2", "2026-02-10", "6500", "1020", "42.50")
        company.voucher("GL-3", "2026-03-31", "1000", "1020", "300")
        yield company


def mutated(body: bytes, lot: random.Random) -> bytes:
    """Change a body in one to three places."""
    for _ in range(lot.randint(1, 3)):
        start = lot.randrange(len(body) + 1)
        end = min(len(body), start + lot.choice([0, 0, 1, 1, 2, 5, 20, 200, len(body)]))
        piece = (
            lot.choice(PIECES) if lot.random() < 0.7 else body[lot.randrange(len(body) + 1) :][: lot.randint(0, 300)]
        )
        body = body[:start] + piece + body[end:]
    return body


@pytest.mark.parametrize("content_type", ["xml", "json"])
@pytest.mark.parametrize("request_number", range(len(REQUESTS)))
def test_any_bytes_are_proven_or_our_error(
    company: Company, tmp_path: Path, content_type: Any, request_number: int
) -> None:
    # Values of figures are the business of lies: here nothing but our errors may come.
    with TamperingProxy(company.simulator.url) as proxy, company.client(proxy.url) as client:
        for seed in range(CASES // len(REQUESTS)):
            lot = random.Random(f"{content_type} {request_number} {seed}")  # noqa: S311 - a lot, no secret
            proxy.leave()

            def change(reply: Reply, lot: random.Random = lot) -> Reply:
                headers = (
                    reply.headers if lot.random() < 0.8 else {"Content-Type": lot.choice(["text/html", "", "a/xml"])}
                )
                return Reply(mutated(reply.body, lot), headers=headers)

            proxy.change(REQUESTS[request_number], change)
            results: list[LedgerResult] = []
            try:
                extract_ledger(
                    client, MemoryDestination(), from_date="2026-01-01", to_date="2026-03-31",
                    content_type=content_type, on_result=results.append,
                )  # fmt: skip
            except UnprovenError:
                pass
            except RunMyAccountsError as error:
                raise AssertionError(f"seed {seed}: the run ended early: {error}") from error
            assert len(results[0].windows) == 3, f"seed {seed}"
