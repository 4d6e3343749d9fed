"""The extract against a running simulator: what arrives, what is asked, what is said."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_rma.exceptions import AuthenticationError, ConfigurationError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.company import Company, warehouse_rows
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import TamperingProxy, replaced

QUARTER: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-03-31"}
FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)


def extract(
    company: Company, memory: MemoryDestination, host: str | None = None, settings: Any = None, **kwargs: Any
) -> LedgerResult:
    with company.client(host, **settings or {}) as client:
        return extract_ledger(client, memory, **QUARTER | kwargs)


def test_every_posting_arrives_as_it_stands_in_the_books(trading: Company, memory: MemoryDestination) -> None:
    result = extract(trading, memory)
    assert result.verdict == "exact"
    assert warehouse_rows(memory.all_postings()) == trading.rows(FIRST, LAST)
    assert len(memory.all_postings()) == result.rows == 16


def test_columns_beside_the_content_are_filled(trading: Company, memory: MemoryDestination) -> None:
    result = extract(trading, memory)
    for row in memory.all_postings():
        assert (row["tenant"], row["load_id"]) == ("demo", result.load_id)
        assert row["month"] == row["transdate"].replace(day=1)
        assert row["credit"] - row["debit"] == row["amount"]
        assert min(row["credit"], row["debit"]) == 0
        assert row["extra"] is None
    names = {row["accno"]: row["account_name"] for row in memory.all_postings()}
    assert names["1100"] == "Forderungen Schweiz"
    accounts = {row["accno"]: row for row in memory.accounts["demo"]}
    assert (accounts["1100"]["kind"], accounts["1100"]["allow_gl"]) == ("balance_sheet", False)
    assert (accounts["3400"]["kind"], accounts["3400"]["link"]) == ("income_statement", "AR_amount:IC_income")


def test_json_gives_the_same_rows(trading: Company, memory: MemoryDestination) -> None:
    extract(trading, memory)
    other = MemoryDestination()
    extract(trading, other, content_type="json")
    assert warehouse_rows(other.all_postings()) == warehouse_rows(memory.all_postings())
    unchanged = extract(trading, memory, content_type="json")
    assert unchanged.months("changed") == []


def test_xml_is_asked_for_whatever_the_connection_says(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    seen = []
    proxy.change("", lambda reply: seen.append(reply.headers["Content-Type"]))
    extract(trading, memory, proxy.url, {"content_type": "json"})
    assert {kind.partition(";")[0] for kind in seen} == {"application/xml"}


def test_no_default_of_the_service_is_relied_on(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    extract(trading, memory, proxy.url, from_date="2026-02-14", to_date="2026-02-15")
    asked = [
        (urlsplit(target).path.rpartition("/demo")[2], parse_qs(urlsplit(target).query)) for target in proxy.targets
    ]
    saldo = {"bookkeeping_main_curr": ["true"], "exclude_yearend_bookings": ["false"]}
    statement = [
        ("/gl/v2/saldo", saldo | {"to": ["2026-01-31"], "include_openings": ["true"]}),
        ("/gl/v2/saldo", saldo | {"to": ["2026-02-28"], "include_openings": ["true"]}),
        ("/gl/v2/saldo", saldo | {"from": ["2026-02-01"], "to": ["2026-02-28"], "include_openings": ["false"]}),
    ]
    postings = {"from_date": ["2026-02-01"], "to_date": ["2026-02-28"]}
    plain = {"include_openings": ["false"], "include_closings": ["false"]}
    assert asked[:8] == [("/charts", {}), *statement, ("/charts/x/transactions", postings | plain), *statement]
    ever = {"from": ["1900-01-01"], "to": ["2026-02-28"], "include_openings": ["false"]}
    assert asked[8] == ("/gl/v2/saldo", saldo | ever), "all balances together"
    assert all(query == plain | {"from_date": ["1900-01-01"], "to_date": ["2026-02-28"]} for _, query in asked[9:]), (
        "accounts that stand still are read once for their sign"
    )


def test_a_second_run_changes_nothing_and_says_so(
    trading: Company, memory: MemoryDestination, caplog: pytest.LogCaptureFixture
) -> None:
    first = extract(trading, memory)
    assert first.months("changed") == ["2026-01", "2026-02", "2026-03"]
    before = dict(memory.postings)
    with caplog.at_level(logging.INFO):
        second = extract(trading, memory)
    assert second.as_dict()["unchanged"] == 3
    assert memory.steps[3:] == ["confirm 2026-01", "confirm 2026-02", "confirm 2026-03"]
    assert memory.postings == before
    assert memory.whole("2026-02")["load_id"] == second.load_id, "the proof is new"
    assert "nothing has changed" in caplog.messages[-1]
    assert "proven again" in caplog.messages[-1]


def test_the_result_is_small_plain_and_complete(trading: Company, memory: MemoryDestination) -> None:
    result = extract(trading, memory).as_dict()
    assert json.loads(json.dumps(result)) == result
    load_id = result.pop("load_id")
    assert load_id
    assert result.pop("calls") == 3 * 8
    assert 0 < result.pop("seconds_per_call") < result.pop("seconds")
    assert result == {
        "tenant": "demo",
        "destination": "memory",
        "location": "here",
        "from_date": "2026-01-01",
        "to_date": "2026-03-31",
        "rows": 16,
        "windows": 3,
        "verdict": "exact",
        "verdicts": {"exact": 3},
        "changed": ["2026-01", "2026-02", "2026-03"],
        "unchanged": 0,
        "skipped": [],
        "done": [],
        "stopped": False,
        "remaining": [],
        "stale": [],
        "renumbered": {},
        "rejected": [],
        "failed": [],
        "ended_by": None,
        "unproven": {},
        "changes": {},
        "closed_month_changed": [],
        "split": {},
        "reasons": [],
        "convention": {"balance_sheet": "natural", "income_statement": "natural"},
        "books_off_by": "0.00",
    }


def test_loads_tell_what_was_done(trading: Company, memory: MemoryDestination) -> None:
    extract(trading, memory, task_run="nightly/1")
    extract(trading, memory, task_run="nightly/2")
    january, *_, last = memory.loads
    assert len(memory.loads) == 6
    assert (january["month"], january["rows"], january["rows_before"], january["announced"]) == (FIRST, 10, 0, 10)
    assert (january["run"], january["verdict"], january["loaded"], january["attempts"]) == (
        "nightly/1",
        "exact",
        True,
        1,
    )
    assert (last["run"], last["rows_before"], last["calls"]) == ("nightly/2", 2, 8)
    assert january["provider_version"]
    assert datetime(2020, 1, 1, tzinfo=UTC) < january["started_at"] <= january["finished_at"]


def test_balances_stay_as_they_were_sent_and_proofs_are_raw(trading: Company, memory: MemoryDestination) -> None:
    extract(trading, memory)
    balances = {row["accno"]: row for row in memory.balances["demo", "2026-02"]}
    bank = balances["1020"]
    assert (bank["basis"], bank["opening"], bank["closing"], bank["movement"], bank["sign"]) == (
        "to", Decimal(100000), Decimal("99957.5"), None, -1,
    )  # fmt: skip
    office = balances["6500"]
    assert (office["basis"], office["opening"], office["closing"], office["movement"]) == (
        "from_to", None, None, Decimal("42.5"),
    )  # fmt: skip
    proofs = {row["accno"]: row for row in memory.proofs["demo", "2026-02"]}
    figures = ("opening", "movements", "expected_closing", "closing", "difference")
    assert [proofs["1020"][name] for name in figures] == [-100000, Decimal("42.5"), Decimal("-99957.5"),
                                                          Decimal("-99957.5"), 0]  # fmt: skip
    assert [proofs["6500"][name] for name in figures] == [0, Decimal("-42.5"), Decimal("-42.5"), Decimal("-42.5"), 0]
    assert (proofs[None]["movements"], proofs[None]["difference"], proofs[None]["verdict"]) == (0, 0, "exact")


def test_an_account_that_stands_still_is_read_once_for_its_sign(trading: Company, memory: MemoryDestination) -> None:
    extract(trading, memory, from_date="2026-03-01", to_date="2026-03-31")
    signs = memory.conventions["demo"]["signs"]
    assert signs == {"1000": -1, "1020": -1, "1030": -1, "1100": -1, "2201": 1, "2202": 1, "2800": 1}
    assert {row["accno"]: row["sign"] for row in memory.balances["demo", "2026-03"]} == signs
    assert memory.loads[0]["calls"] == 8 + 5
    extract(trading, memory, from_date="2026-03-01", to_date="2026-03-31")
    assert memory.loads[1]["calls"] == 8


def test_unknown_fields_are_kept_and_prove_nothing_less(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change("transactions", replaced(b"</transaction>", b"<colour>blau</colour></transaction>", 1))
    result = extract(trading, memory, proxy.url, from_date="2026-02-01", to_date="2026-02-28")
    assert result.verdict == "exact"
    extras = [row["extra"] for row in memory.all_postings()]
    assert extras.count(None) == len(extras) - 1
    assert {"colour": "blau"} in [json.loads(extra) for extra in extras if extra]


def test_logs_can_be_followed_and_hold_nothing_personal(
    trading: Company, memory: MemoryDestination, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        extract(trading, memory)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider_rma")]
    assert ours[0].startswith("Ledger of tenant demo: 3 months, 2026-01 to 2026-03, into memory here")
    assert any("2026-01: 10 postings (0 before), exact, changed; 8 calls" in line for line in ours)
    assert "16 postings in 3 months, 3 changed, 0 unchanged, 0 not loaded; verdict exact" in ours[-1]
    for personal in ("Beispiel", "heikel", "Heikel", "Text der Zeile", "Beleg 7", "pat_"):
        assert personal not in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [{"on_unproven": "ignore"}, {"tolerance": "-1"}, {"tolerance": "NaN"}, {"tolerance": "some"},
     {"account_kinds": {"1020": "cash"}}, {"from_date": "soon"}, {"resume_since": "lately"}, {"stop_at": "25:00"}],
)  # fmt: skip
def test_a_parameter_that_means_nothing_is_refused_before_anything_is_sent(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        extract(trading, memory, proxy.url, **wrong)
    assert proxy.targets == []


def test_a_wrong_token_stops_at_once(trading: Company, memory: MemoryDestination, proxy: TamperingProxy) -> None:
    with pytest.raises(AuthenticationError):
        extract(trading, memory, proxy.url, {"token": "pat_wrong"})
    assert memory.steps == []
