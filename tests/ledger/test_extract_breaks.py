"""Everything that can go wrong between the books and the warehouse is found, for the reason it should be, and what was
loaded before stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest

from airflow_provider_rma.exceptions import (
    IncompleteResponseError,
    RejectedError,
    RequestError,
    UnexpectedResponseError,
    UnprovenError,
)
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.slices import RestartMonthError, SlicePlan
from airflow_provider_rma.ledger.postings.stream import read_postings, receive_postings
from airflow_provider_rma.ledger.result import LedgerResult
from airflow_provider_rma.ledger.windows import MonthLoad, list_windows
from tests.support.ledger.company import Company, start
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import (
    Change,
    Reply,
    TamperingProxy,
    amounts,
    body,
    half_gzip,
    other_postings,
    replaced,
)
from tests.support.ledger.unread_months import raises_unread
from tests.support.scope import cuts

FEBRUARY: dict[str, Any] = {"from_date": "2026-02-01", "to_date": "2026-02-28"}
POSTINGS = "transactions"


def extract(company: Company, memory: MemoryDestination, host: str | None = None, **kwargs: Any) -> LedgerResult:
    with company.client(host) as client:
        return extract_ledger(client, memory, **FEBRUARY | kwargs)


@pytest.fixture
def loaded(trading: Company, memory: MemoryDestination) -> Iterator[MemoryDestination]:
    """A destination that holds February; whatever a test does, it must hold the same afterwards."""
    extract(trading, memory)
    postings, proofs, balances = dict(memory.postings), dict(memory.proofs), dict(memory.balances)
    yield memory
    assert memory.postings == postings
    assert memory.proofs == proofs
    assert memory.balances == balances


def voucher_of(posting: bytes) -> tuple[bytes, ...]:
    return tuple(re.findall(rb"<(?:id|module)>(.*?)</", posting))


def account_of(posting: bytes) -> bytes:
    return re.findall(rb"<accno>(.*?)</accno>", posting)[0]


def with_amount(posting: bytes, amount: str) -> bytes:
    return re.sub(rb"<amount>.*?</amount>", f"<amount>{amount}</amount>".encode(), posting)


def without(accno: bytes) -> Change:
    return other_postings(lambda rows: [row for row in rows if account_of(row) != accno])


def changed(accno: bytes, amount: str) -> Change:
    return other_postings(lambda rows: [with_amount(row, amount) if account_of(row) == accno else row for row in rows])


def doubled_voucher(rows: list[bytes]) -> list[bytes]:
    return rows + [row for row in rows if voucher_of(row) == voucher_of(rows[-1])]


def one_voucher_only(rows: list[bytes]) -> list[bytes]:
    return [row for row in rows if voucher_of(row) == voucher_of(rows[-1])]


def moved_between_vouchers(rows: list[bytes]) -> list[bytes]:
    """One posting belongs to another voucher: accounts agree, vouchers do not."""
    sale = next(row for row in rows if b"R-1" in row)
    sale_id, module = voucher_of(sale)
    return [
        re.sub(rb"<id>.*?</id>(.*)<module>gl<", rb"<id>%s</id>\1<module>%s<" % (sale_id, module), row, flags=re.S)
        if account_of(row) == b"6500"
        else row
        for row in rows
    ]


BREAKS: dict[str, tuple[str, Change, set[str], list[str]]] = {
    "a posting is missing": (POSTINGS, without(b"6500"), {"voucher_unbalanced", "account_without_postings"},
                             ["Voucher gl", "reference GL-2", "42.50 CHF", "Account 6500"]),
    "an amount is another": (POSTINGS, changed(b"6500", "-43.5"), {"voucher_unbalanced", "account_difference"},
                             ["reference GL-2", "-1.00 CHF", "Account 6500"]),
    "a voucher is missing": (POSTINGS, other_postings(one_voucher_only), {"account_without_postings", "vouchers_gone"},
                             ["Account 1030", "Account 1100"]),
    "a voucher came twice": (POSTINGS, other_postings(doubled_voucher), {"account_difference", "entry_twice"},
                             ["Account 1020"]),
    "sums moved between vouchers": (POSTINGS, other_postings(moved_between_vouchers),
                                    {"voucher_unbalanced"}, ["Voucher ar ", "Voucher gl", "42.50 CHF"]),
    "debit and credit are turned": (
        POSTINGS, other_postings(lambda rows: [with_amount(row, "42.5") if account_of(row) == b"6500" else
                                               with_amount(row, "-42.5") if account_of(row) == b"1020" else row
                                               for row in rows]), {"sign_changed"}, ["Account 1020", "Account 6500"]),
    "nothing came": (POSTINGS, other_postings(lambda _: []), {"emptied", "account_without_postings"},
                     ["No posting came where 4 are loaded"]),
    "a balance is missing": ("saldo", lambda reply: Reply(re.sub(
        rb"<row><accountnumber>6500.*?</row>", b"", reply.body), headers=reply.headers), {"account_not_stated"},
        ["Account 6500 has postings of -42.50 CHF, but the service states no balance"]),
    "a balance is another": ("saldo.*to=2026-02-28", amounts(
        lambda accno, amount: "99958.5000" if accno == "1020" else amount), {"account_difference"},
        ["Account 1020: opening -100000.00 CHF", "difference -1.00 CHF"]),
    "balances have another sign": ("saldo", amounts(lambda accno, amount: str(-Decimal(amount))), {"sign_changed"},
                                   ["Account 1020 is stated with the opposite sign"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_found_named_and_keeps_the_old_month(
    trading: Company, loaded: MemoryDestination, proxy: TamperingProxy, name: str
) -> None:
    pattern, change, codes, told = BREAKS[name]
    proxy.change(pattern, change)
    with pytest.raises(UnprovenError) as caught:
        extract(trading, loaded, proxy.url)
    verdict = "suspicious_empty" if "emptied" in codes else "broken"
    assert caught.value.windows == {"2026-02": verdict}
    assert caught.value.retryable is False
    refused = loaded.refused["demo", "2026-02"]
    assert (refused[0]["verdict"], refused[0]["loaded"]) == (verdict, False)
    found = set(re.findall(r'"code": "(\w+)"', refused[0]["reasons"]))
    assert found == codes
    for text in told:
        assert any(text in reason for reason in caught.value.reasons), text
        assert text in refused[0]["reasons"]
    assert loaded.loads[-1]["loaded"] is False
    assert str(caught.value).startswith("1 of 1 months could not be proven and keep their old state: 2026-02")


def test_two_accounts_in_one_posting_are_an_error(
    trading: Company, loaded: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change(POSTINGS, replaced(b"<accno>6500<", b"<accno>6510<"))
    with raises_unread(UnexpectedResponseError, "posting 3 of 2026-02 names two accounts"):
        extract(trading, loaded, proxy.url)


def test_a_posting_on_another_account_is_found(
    trading: Company, loaded: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change(POSTINGS, replaced(b'accno="6500"', b'accno="6510"'))
    proxy.change(POSTINGS, replaced(b"<accno>6500<", b"<accno>6510<"))
    with pytest.raises(UnprovenError) as caught:
        extract(trading, loaded, proxy.url)
    assert [reason.split(": ")[1] for reason in caught.value.reasons] == [
        "account_without_postings", "account_not_stated",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (replaced(b"2026-02-10T", b"2026-03-10T"), UnexpectedResponseError, "2026-03-10, outside of 2026-02-01"),
        (replaced(b"2026-02-10T00:00:00+01:00", b""), UnexpectedResponseError, "is dated no day"),
        (replaced(b"42.5<", b"many<"), UnexpectedResponseError, "amount"),
        (replaced(b">-42.5<", b"><"), UnexpectedResponseError, "has no amount"),
        (replaced(b"42.5<", b"1E21<"), UnexpectedResponseError, "too large"),
        (body(b"<html><body>Wartung</body></html>"), UnexpectedResponseError, "HTML"),
        (body(b"<!DOCTYPE html><html></html>"), UnexpectedResponseError, "HTML"),
        (body(b"<error>Das geht nicht</error>"), RejectedError, "refused"),
        (body(b"<table/>"), UnexpectedResponseError, "root element"),
        (body(b""), IncompleteResponseError, "empty"),
        (replaced(b"</transactions>", b'</transactions><transactions number_of_transaction="0"/>'),
         UnexpectedResponseError, "well-formed"),
        (lambda reply: Reply(re.sub(rb'number_of_transaction="(\d+)"', rb'number_of_transaction="9\1"', reply.body),
                             headers=reply.headers), IncompleteResponseError, r"announced 9\d entries and sent \d"),
        (half_gzip, IncompleteResponseError, "gzip"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error_and_keeps_the_old_month(
    trading: Company,
    loaded: MemoryDestination,
    proxy: TamperingProxy,
    change: Change,
    error: type[RequestError],
    told: str,
) -> None:
    proxy.change(POSTINGS, change)
    steps = list(loaded.steps)
    with raises_unread(error, told, "2026-02"):
        extract(trading, loaded, proxy.url, on_unproven="keep")
    assert loaded.steps == [*steps, "reject 2026-02"], "nothing was replaced"


def test_a_posting_without_any_account_is_an_error(
    trading: Company, loaded: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change(POSTINGS, replaced(b'accno="6500"', b'accno=""'))
    proxy.change(POSTINGS, replaced(b"<accno>6500</accno>", b""))
    with raises_unread(UnexpectedResponseError, "names no account"):
        extract(trading, loaded, proxy.url)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (body(b"<html/>"), "HTML"),
        (
            replaced(b"</table>", b"<row><accountnumber>1020</accountnumber><amount>1</amount></row></table>"),
            "listed twice",
        ),
        (replaced(b"100000.0000", b""), "without an amount"),
        (replaced(b"</table>", b""), "incomplete|ended"),
    ],
)
def test_balances_that_cannot_be_read_are_an_error(
    trading: Company, loaded: MemoryDestination, proxy: TamperingProxy, change: Change, told: str
) -> None:
    proxy.change("saldo.*to=2026-01-31", change)
    error = IncompleteResponseError if "ended" in told else UnexpectedResponseError
    with raises_unread(error, told, "2026-02"):
        extract(trading, loaded, proxy.url)


@pytest.mark.parametrize("content_type", ["xml", "json"])
def test_postings_cut_off_at_any_byte_are_an_error(
    trading: Company, proxy: TamperingProxy, content_type: Literal["xml", "json"]
) -> None:
    whole = b""

    def keep(reply: Reply) -> None:
        nonlocal whole
        whole = whole or reply.body

    proxy.change(POSTINGS, keep)
    (march,) = list_windows("2026-03-01", "2026-03-31")
    with trading.client(proxy.url) as client:

        def read() -> list[Any]:
            staged: list[Any] = []
            batches = PostingBatches(MonthLoad("demo", march, "load"), {})
            plan = SlicePlan(march)
            with receive_postings(client, plan, content_type) as received:
                read_postings(received, plan, batches, staged.append)
            return staged

        assert [batch.num_rows for batch in read()] == [2]
        for cut in cuts(len(whole), step=17):
            proxy.leave()
            proxy.change(POSTINGS, body(whole[:cut]))
            with pytest.raises((IncompleteResponseError, RestartMonthError)):
                read()


# ---------------------------------------------------------------------- what the user may choose


def test_with_keep_a_broken_month_is_loaded_and_marked(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change(POSTINGS, changed(b"6500", "-43.5"))
    result = extract(trading, memory, proxy.url, on_unproven="keep")
    assert result.unproven == {"2026-02": "broken"}
    assert result.months("changed") == ["2026-02"]
    assert result.as_dict()["verdict"] == "broken"
    assert any("Account 6500" in reason for reason in result.as_dict()["reasons"])
    whole = memory.whole("2026-02")
    assert (whole["verdict"], whole["loaded"]) == ("broken", True)
    assert Decimal("-43.5") in [row["amount"] for row in memory.all_postings()]
    again = extract(trading, memory, proxy.url, on_unproven="keep")
    assert again.months("unchanged") == ["2026-02"]
    assert again.verdict == "broken"
    repaired = extract(trading, memory)
    assert (repaired.verdict, repaired.months("changed")) == ("exact", ["2026-02"])


def test_one_broken_month_does_not_keep_the_others_from_being_loaded(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change(POSTINGS + ".*2026-02", changed(b"6500", "-43.5"))
    with pytest.raises(UnprovenError) as caught:
        extract(trading, memory, proxy.url, from_date="2026-01-01", to_date="2026-03-31")
    assert caught.value.windows == {"2026-02": "broken"}
    assert "1 of 3 months" in str(caught.value)
    assert memory.steps == ["commit 2026-01", "reject 2026-02", "commit 2026-03"]


def test_a_difference_within_the_declared_tolerance_is_loaded_and_named(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change(POSTINGS, changed(b"6500", "-43.5"))
    result = extract(trading, memory, proxy.url, tolerance="1")
    assert (result.verdict, result.unproven) == ("tolerated", {})
    assert len(result.reasons()) == 2
    assert memory.whole("2026-02")["verdict"] == "tolerated"


def test_postings_that_were_not_counted_are_unproven(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change(POSTINGS, replaced(b' number_of_transaction="4"', b""))
    with pytest.raises(UnprovenError) as caught:
        extract(trading, memory, proxy.url)
    assert caught.value.windows == {"2026-02": "unproven"}
    assert "did not announce" in caught.value.reasons[0]


# ---------------------------------------------------------------------- signs


RAW_CLASSES = {"1": -1, "6": -1}


def test_a_service_that_states_raw_balances_is_understood(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change("saldo", amounts(lambda accno, amount: str(RAW_CLASSES.get(accno[0], 1) * Decimal(amount))))
    result = extract(trading, memory, proxy.url, from_date="2026-01-01", to_date="2026-03-31")
    assert result.verdict == "exact"
    assert result.convention == {"balance_sheet": "raw", "income_statement": "raw"}
    assert set(memory.conventions["demo"]["signs"].values()) == {1}
    with pytest.raises(UnprovenError) as caught:
        extract(trading, memory)
    assert "sign_changed" in caught.value.reasons[0], "what was learnt is not learnt again"


def test_signs_that_follow_no_convention_leave_the_month_unproven(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    proxy.change("saldo", amounts(lambda accno, amount: str(-Decimal(amount)) if accno in ("1020", "2201") else amount))
    with pytest.raises(UnprovenError) as caught:
        extract(trading, memory, proxy.url, from_date="2026-01-01", to_date="2026-01-31")
    assert caught.value.windows == {"2026-01": "unproven"}
    assert "no known convention" in caught.value.reasons[0]
    assert not any(kept["learnt"] for kept in memory.conventions.values()), "no sign was learnt"


# ---------------------------------------------------------------------- books that move


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[tuple[Company, TamperingProxy]]:
    """A company of its own, since these tests write into its books while they are read."""
    with start(tmp_path) as simulator, TamperingProxy(simulator.url) as proxy:
        company = Company(simulator)
        company.voucher("GL-1", "2026-02-01", "1020", "2800", "1000")
        yield company, proxy


def booking(company: Company, times: int) -> Callable[[Reply], None]:
    """Somebody books while the postings are read, so many times."""
    numbers = count(1)

    def book(_: Reply) -> None:
        number = next(numbers)
        if number <= times:
            company.voucher(f"M-{number}", "2026-02-20", "6500", "1020", "10")

    return book


def test_books_that_move_once_are_read_again(moving: tuple[Company, TamperingProxy], memory: MemoryDestination) -> None:
    company, proxy = moving
    proxy.change(POSTINGS, booking(company, 1))
    result = extract(company, memory, proxy.url)
    assert (result.verdict, result.rows, result.windows[0].attempts) == ("exact", 4, 2)
    assert (memory.loads[-1]["attempts"], memory.loads[-1]["calls"]) == (2, 3 + 2 * 5)
    assert memory.steps == ["commit 2026-02"]


def test_books_that_do_not_stand_still_are_unsettled_and_worth_a_retry(
    moving: tuple[Company, TamperingProxy], memory: MemoryDestination
) -> None:
    company, proxy = moving
    proxy.change(POSTINGS, booking(company, 99))
    with pytest.raises(UnprovenError) as caught:
        extract(company, memory, proxy.url)
    assert caught.value.windows == {"2026-02": "unsettled"}
    assert caught.value.retryable is True
    assert "the last time of account 1020, 6500" in caught.value.reasons[0]
    assert memory.postings == {}
    assert not any(kept["learnt"] for kept in memory.conventions.values()), "no sign was learnt"


def test_with_keep_unsettled_books_are_loaded_and_marked(
    moving: tuple[Company, TamperingProxy], memory: MemoryDestination
) -> None:
    company, proxy = moving
    proxy.change(POSTINGS, booking(company, 99))
    result = extract(company, memory, proxy.url, on_unproven="keep")
    assert (result.unproven, result.rows) == ({"2026-02": "unsettled"}, 6)
    assert [row["verdict"] for row in memory.proofs["demo", "2026-02"]] == ["unsettled"]
    assert not any(kept["learnt"] for kept in memory.conventions.values()), "no sign was learnt"


def test_an_answer_that_is_incomplete_once_is_read_again(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy
) -> None:
    times = count(1)
    proxy.change(
        POSTINGS,
        lambda reply: Reply(reply.body[:-30], headers=reply.headers) if next(times) == 1 else None,
    )
    result = extract(trading, memory, proxy.url)
    assert (result.verdict, result.windows[0].attempts) == ("exact", 2)
    assert len(memory.all_postings()) == 4
