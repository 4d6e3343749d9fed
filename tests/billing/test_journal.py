from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_rma.billing.journal import Journal, State, business_key, open_engine
from airflow_provider_rma.exceptions import JournalError

HASH = "0" * 64


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal' / 'journal.db'}"


def journal(url: str, clock: Clock | None = None, *, tenant: str = "demo", kind: str = "invoice") -> Journal:
    return Journal(
        open_engine(url), base_url="http://127.0.0.1", tenant=tenant, kind=kind, run="dag/run/task", clock=clock
    )


def test_a_claim_is_durable_and_exclusive(url: str, clock: Clock) -> None:
    first, second = journal(url, clock), journal(url, clock)
    claimed = first.claim("R-1", HASH, None, settle_after=60)
    assert claimed is not None
    assert (claimed.state, claimed.attempts, claimed.settles_at) == (State.CLAIMED, 1, clock.now + 60)
    assert second.claim("R-1", HASH, None, settle_after=60) is None
    assert second.get(["r-1"])["r-1"] == claimed


def test_numbers_that_differ_in_case_are_the_same_document(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    assert one.claim("R-1a", HASH, None, settle_after=60)
    assert one.claim("r-1A", HASH, None, settle_after=60) is None
    assert business_key("STRASSE") == business_key("straße")


def test_tenants_and_kinds_do_not_meet(url: str, clock: Clock) -> None:
    for tenant, kind in (("demo", "invoice"), ("other", "invoice"), ("demo", "customer")):
        assert journal(url, clock, tenant=tenant, kind=kind).claim("R-1", HASH, None, settle_after=60)


@pytest.mark.parametrize("state", [State.CLAIMED, State.UNKNOWN])
def test_a_doubtful_document_is_claimed_again_only_after_its_settle_time(url: str, clock: Clock, state: State) -> None:
    one = journal(url, clock)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    if state == State.UNKNOWN:
        assert one.record(entry, State.UNKNOWN, note="no reply")
    seen = one.get(["r-1"])["r-1"]
    clock.now += 59
    assert one.claim("R-1", HASH, seen, settle_after=60) is None
    clock.now += 1
    again = one.claim("R-1", HASH, seen, settle_after=60)
    assert again is not None
    assert again.attempts == 2


def test_a_claim_on_outdated_ground_is_refused(url: str, clock: Clock) -> None:
    one, other = journal(url, clock), journal(url, clock)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    assert one.record(entry, State.REJECTED)
    seen = one.get(["r-1"])["r-1"]
    assert other.claim("R-1", HASH, seen, settle_after=60) is not None
    assert one.claim("R-1", HASH, seen, settle_after=60) is None


def test_the_outcome_of_a_claim_that_was_taken_over_is_not_recorded(url: str, clock: Clock) -> None:
    slow, fast = journal(url, clock), journal(url, clock)
    entry = slow.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    clock.now += 61
    assert fast.claim("R-1", HASH, entry, settle_after=60) is not None
    assert not slow.record(entry, State.CREATED)
    assert fast.get(["r-1"])["r-1"].state == State.CLAIMED


def test_figures_are_kept_to_the_cent(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    assert one.record(
        entry, State.CREATED, document_id="10204", net=Decimal("99.00"), gross=Decimal("106.92"), currency="CHF"
    )
    booked = one.get(["r-1"])["r-1"]
    assert (booked.document_id, booked.net, booked.gross) == ("10204", Decimal("99.00"), Decimal("106.92"))
    assert list(one.open_entries()) == []


def test_open_entries_are_those_in_doubt(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    for number, state in (("A", None), ("B", State.UNKNOWN), ("C", State.REJECTED), ("D", State.CREATED)):
        entry = one.claim(number, HASH, None, settle_after=60)
        assert entry is not None
        if state:
            one.record(entry, state)
    assert sorted(entry.number for entry in one.open_entries()) == ["A", "B"]


def test_a_document_found_in_the_books_is_adopted_once(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    one.adopt("R-1", HASH, document_id="7", gross=Decimal("1.00"))
    one.adopt("R-1", HASH, document_id="8")
    adopted = one.get(["r-1"])["r-1"]
    assert (adopted.state, adopted.document_id, adopted.attempts) == (State.CREATED, "7", 0)


def test_of_many_workers_one_gets_the_claim(url: str) -> None:
    journals = [journal(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda one: one.claim("R-1", HASH, None, settle_after=60), journals))
    assert sum(claim is not None for claim in claims) == 1


def test_the_database_s_clock_is_seconds_since_1970(url: str) -> None:
    import time

    assert abs(journal(url).now() - time.time()) < 5


def test_a_database_that_cannot_be_used_is_an_error_before_anything_is_posted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database, this is a text that is long enough to be taken for one" * 20)
    with pytest.raises(JournalError, match="cannot be read or written"):
        journal(f"sqlite:///{path}")


def test_other_databases_are_refused() -> None:
    with pytest.raises(JournalError, match="cannot live in mysql.*PostgreSQL"):
        open_engine("mysql://127.0.0.1/books")
