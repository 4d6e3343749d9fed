"""What the real ledger code wrote arrives in the warehouse, row by row: posted, read over HTTP, proven, stored."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.company import Company, start, warehouse_rows
from tests.support.ledger.duckdb_file import connect_duckdb
from tests.support.ledger.memory import MemoryDestination
from tests.support.posting_oracle import play
from tests.support.reference import ORACLE_MASTER, oracle_cases
from tests.support.simulator import SimulatorProcess

CASES = oracle_cases("ar_booking", "ar_articles", "payment", "ap", "gl", "resave", "delete")
_SCALE = Decimal("1e-8")


class Accountant:
    """The books as :func:`play` wants them, by way of the control endpoint."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self.post_invoice = lambda document: company.post("/invoices", document)
        self.post_purchase = lambda document: company.post("/purchases", document)
        self.post_gl = lambda document: company.post("/gl", document)
        self.resave = company.resave
        self.delete = company.delete

    def pay(self, document: int, payment: dict[str, Any], route: str) -> None:
        self._company.simulator.control("POST", f"/documents/{document}/payments", payment | {"route": route})


@dataclass
class Extracted:
    """The cases after their extraction."""

    company: Company
    documents: dict[str, int]
    results: list[LedgerResult]
    warehouse: list[dict[str, Any]]
    proofs: list[dict[str, Any]]
    by_voucher: dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Extracted]:
    folder = tmp_path_factory.mktemp("oracle")
    with start(folder, master=ORACLE_MASTER) as simulator:
        company = Company(simulator)
        documents = {case["case"]: _play(company, case) for case in CASES}
        with open_destination(f"duckdb:///{folder}/warehouse.duckdb") as destination, company.client() as client:
            results = [
                extract_ledger(client, destination, from_date=first, to_date=last, on_unproven="keep")
                for first, last in _stretches(simulator)
            ]
        with connect_duckdb(f"{folder}/warehouse.duckdb", read_only=True) as warehouse:
            postings = _dicts(warehouse, "SELECT * FROM postings")
            proofs = _dicts(warehouse, "SELECT * FROM proofs WHERE accno IS NULL")
        by_voucher = defaultdict(list)
        for posting in postings:
            by_voucher[posting["voucher_id"]].append(posting)
        yield Extracted(company, documents, results, postings, proofs, by_voucher)


def _play(company: Company, case: dict[str, Any]) -> int:
    *_, (_, _, number) = play(Accountant(company), case)  # type: ignore[arg-type]
    return number


def _stretches(simulator: SimulatorProcess) -> list[tuple[date, date]]:
    """Stretches of months that hold postings: the oracle's years have long gaps."""
    rows = Company(simulator).rows(date(1900, 1, 1), date(2100, 1, 1))
    months = sorted({Window.of(date.fromisoformat(row[0])) for row in rows})
    stretches = [[months[0]]]
    for before, after in pairwise(months):
        if before.next == after:
            stretches[-1].append(after)
        else:
            stretches.append([after])
    return [(stretch[0].start, stretch[-1].end) for stretch in stretches]


def _dicts(warehouse: Any, query: str) -> list[dict[str, Any]]:
    return list(warehouse.sql(query).to_arrow_table().to_pylist())


def test_the_warehouse_holds_what_the_books_hold(extracted: Extracted) -> None:
    assert len(CASES) == 292
    assert warehouse_rows(extracted.warehouse) == extracted.company.rows(date(1900, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_case_arrives_row_by_row(extracted: Extracted, case: dict[str, Any]) -> None:
    postings = extracted.by_voucher.get(extracted.documents[case["case"]], [])
    expected = case["result"].get("postings") or []
    assert _comparable(postings) == sorted(
        (_expected(row, case["result"]) for row in expected if _amount(row)), key=repr
    )
    modules = {"ap": "ap", "gl": "gl"}
    assert {row["module"] for row in postings} <= {modules.get(case["kind"], _module(case))}


def _module(case: dict[str, Any]) -> str:
    given = case["input"].get("first") or case["input"].get("document") or case["input"]
    return "ar" if "customernumber" in given else "ap" if "vendornumber" in given else "gl"


def _amount(row: dict[str, Any]) -> Decimal:
    return Decimal(row["amount"]).quantize(_SCALE)


def _expected(row: dict[str, Any], document: dict[str, Any]) -> tuple[Any, ...]:
    amount = _amount(row)
    return (
        row["transdate"], row["accno"], amount, max(-amount, Decimal(0)), max(amount, Decimal(0)), row["memo"] or None,
        row["source"] or None, document.get("invnumber") or document.get("reference"), document["description"] or None,
        document["department"],
    )  # fmt: skip


def _comparable(postings: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(
        (
            (row["transdate"].isoformat(), row["accno"], row["amount"], row["debit"], row["credit"], row["memo"],
             row["source"], row["reference"], row["description"], row["department_name"])
            for row in postings
        ), key=repr,
    )  # fmt: skip


def test_each_month_has_the_verdict_that_its_vouchers_deserve(extracted: Extracted) -> None:
    sums: dict[tuple[str, str, int], Decimal] = defaultdict(Decimal)
    for row in extracted.warehouse:
        sums[row["transdate"].isoformat()[:7], row["module"], row["voucher_id"]] += row["amount"]
    for proof in extracted.proofs:
        month = proof["month"].isoformat()[:7]
        off = {(module, number): total for (when, module, number), total in sums.items() if when == month and total}
        worst = max(map(abs, off.values()), default=Decimal(0))
        reasons = json.loads(proof["reasons"] or "[]")
        named = [reason["text"] for reason in reasons if reason["code"] == "voucher_unbalanced"]
        assert len(named) == len(off)
        assert all(any(f"Voucher {module} {number} " in text for text in named) for module, number in off)
        expected = {"voucher_unbalanced", "account_difference", "sign_deviates"}
        # An account that moves for the first time in a month with a break: its sign is not learnt from that.
        expected |= {"sign_unknown"} if worst > Decimal("0.01") else set()
        assert {reason["code"] for reason in reasons} <= expected, month
        if worst > Decimal("0.01"):
            assert proof["verdict"] == "broken", month
        elif worst:
            assert proof["verdict"] == "tolerated", month
        else:
            assert proof["verdict"] in ("exact", "tolerated"), month


def test_accounts_agree_with_the_balances_to_their_four_decimals(extracted: Extracted) -> None:
    """Vouchers of the oracle are out of balance and have eight decimals; the accounts must agree nevertheless."""
    reasons = [reason for result in extracted.results for month in result.windows for reason in month.reasons]
    differing = [reason for reason in reasons if reason.code == "account_difference"]
    assert all(reason.verdict == "tolerated" for reason in differing)
    assert {result.convention["balance_sheet"] for result in extracted.results} <= {"natural", "unknown"}
    assert extracted.results[-1].convention["balance_sheet"] == "natural"


def test_json_gives_the_same_rows(extracted: Extracted) -> None:
    memory = MemoryDestination()
    with extracted.company.client() as client:
        extract_ledger(client, memory, from_date="2025-02-01", to_date="2025-07-31", on_unproven="keep",
                       content_type="json")  # fmt: skip
    period = [row for row in extracted.warehouse if date(2025, 2, 1) <= row["transdate"] <= date(2025, 7, 31)]
    assert len(period) > 1000
    assert warehouse_rows(memory.all_postings()) == warehouse_rows(period)
