from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.exceptions import InvalidInputError
from tests.support.journal_databases import DATABASES, empty_database

HASH = "0" * 64


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_database(request.param, request, tmp_path)


def journal(url: str, clock: Clock | None = None, *, tenant: str = "demo", kind: str = "invoice") -> Journal:
    return Journal(
        open_engine(url), base_url="http://127.0.0.1", tenant=tenant, kind=kind, run="dag/run/task", clock=clock
    )


def test_a_claim_is_durable_and_exclusive(url: str, clock: Clock) -> None:
    first, second = journal(url, clock), journal(url, clock)
    claimed = first.claim("R-1", HASH, None, settle_after=60)
    assert claimed is not None
    assert (claimed.state, claimed.attempts, claimed.settles_at) == (JournalState.CLAIMED, 1, clock.now + 60)
    assert second.claim("R-1", HASH, None, settle_after=60) is None
    assert second.get(["r-1"])["r-1"] == claimed


def test_numbers_that_differ_in_case_are_the_same_document(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    assert one.claim("R-1a", HASH, None, settle_after=60)
    assert one.claim("r-1A", HASH, None, settle_after=60) is None
    assert normalize_number("STRASSE") == normalize_number("straße")


def test_tenants_and_kinds_do_not_meet(url: str, clock: Clock) -> None:
    for tenant, kind in (("demo", "invoice"), ("other", "invoice"), ("demo", "customer")):
        assert journal(url, clock, tenant=tenant, kind=kind).claim("R-1", HASH, None, settle_after=60)


@pytest.mark.parametrize("state", [JournalState.CLAIMED, JournalState.UNKNOWN])
def test_a_doubtful_document_is_claimed_again_only_after_its_settle_time(
    url: str, clock: Clock, state: JournalState
) -> None:
    one = journal(url, clock)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    if state == JournalState.UNKNOWN:
        assert one.record(entry, JournalState.UNKNOWN, note="no reply")
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
    assert one.record(entry, JournalState.REJECTED)
    seen = one.get(["r-1"])["r-1"]
    assert other.claim("R-1", HASH, seen, settle_after=60) is not None
    assert one.claim("R-1", HASH, seen, settle_after=60) is None


def test_the_outcome_of_a_claim_that_was_taken_over_is_not_recorded(url: str, clock: Clock) -> None:
    slow, fast = journal(url, clock), journal(url, clock)
    entry = slow.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    clock.now += 61
    assert fast.claim("R-1", HASH, entry, settle_after=60) is not None
    assert not slow.record(entry, JournalState.CREATED)
    assert fast.get(["r-1"])["r-1"].state == JournalState.CLAIMED


def test_figures_are_kept_to_the_cent(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    assert one.record(
        entry,
        JournalState.CREATED,
        booked=BookedDocument("R-1", "10204", Decimal("99.00"), Decimal("106.92"), "CHF"),
    )
    booked = one.get(["r-1"])["r-1"]
    assert (booked.document_id, booked.net, booked.gross) == ("10204", Decimal("99.00"), Decimal("106.92"))
    assert list(one.open_rows()) == []


def test_open_rows_are_those_in_doubt(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    for number, state in (
        ("A", None),
        ("B", JournalState.UNKNOWN),
        ("C", JournalState.REJECTED),
        ("D", JournalState.CREATED),
    ):
        entry = one.claim(number, HASH, None, settle_after=60)
        assert entry is not None
        if state:
            one.record(entry, state)
    assert sorted(entry.number for entry in one.open_rows()) == ["A", "B"]


def test_a_document_found_in_the_books_is_imported_once(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    one.import_booked(BookedDocument("R-1", "7", gross=Decimal("1.00")), HASH)
    one.import_booked(BookedDocument("R-1", "8"), HASH)
    imported = one.get(["r-1"])["r-1"]
    assert (imported.state, imported.document_id, imported.attempts) == (JournalState.CREATED, "7", 0)


def test_of_many_workers_one_gets_the_claim(url: str) -> None:
    journals = [journal(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda one: one.claim("R-1", HASH, None, settle_after=60), journals))
    assert sum(claim is not None for claim in claims) == 1
    assert [event.after for event in journals[0].history("R-1")] == ["claimed"]


def test_of_many_workers_one_takes_a_settled_claim_over(url: str, clock: Clock) -> None:
    first = journal(url, clock)
    seen = first.claim("R-1", HASH, None, settle_after=60)
    clock.now += 61
    journals = [journal(url, clock) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda one: one.claim("R-1", HASH, seen, settle_after=60), journals))
    assert [claim.attempts for claim in claims if claim] == [2]
    assert [event.version for event in first.history("R-1")] == [1, 2]


def test_threads_share_a_journal(url: str) -> None:
    one = journal(url)

    def bill(number: int) -> bool:
        entry = one.claim(f"R-{number}", HASH, None, settle_after=60)
        return entry is not None and one.record(entry, JournalState.CREATED)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(bill, range(100)))
    assert list(one.open_rows()) == []
    assert len(one.get(f"r-{number}" for number in range(100))) == 100


def test_the_database_s_clock_is_seconds_since_1970(url: str) -> None:
    import time

    assert abs(journal(url).now() - time.time()) < 5


def test_the_history_tells_every_change(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    clock.now += 5
    assert one.record(entry, JournalState.UNKNOWN, note="no reply")
    assert not one.record(entry, JournalState.CREATED)
    clock.now += 100
    assert one.claim("R-1", HASH, one.get(["r-1"])["r-1"], settle_after=60)
    told = [(event.at, event.before, event.after, event.attempts, event.note) for event in one.history("r-1")]
    assert told == [
        (1_000_000.0, None, JournalState.CLAIMED, 1, None),
        (1_000_005.0, JournalState.CLAIMED, JournalState.UNKNOWN, 1, "no reply"),
        (1_000_105.0, JournalState.UNKNOWN, JournalState.CLAIMED, 2, None),
    ]
    assert {event.run for event in one.history("R-1")} == {"dag/run/task"}
    assert journal(url, clock, tenant="other").history("R-1") == []


@pytest.mark.parametrize(("verdict", "state"), [("booked", JournalState.CREATED), ("absent", JournalState.RELEASED)])
def test_a_person_resolves_a_doubt(url: str, clock: Clock, verdict: Any, state: JournalState) -> None:
    one = journal(url, clock)
    assert one.claim("R-1", HASH, None, settle_after=60)
    clock.now += 61
    resolved = one.resolve("r-1", verdict, who="anna", reason="seen in RMA")
    assert (resolved.state, resolved.version, resolved.number) == (state, 2, "R-1")
    last = one.history("R-1")[-1]
    assert (last.before, last.after) == (JournalState.CLAIMED, state)
    assert last.note == f"{verdict} according to anna: seen in RMA"
    assert list(one.open_rows()) == []


def test_what_was_resolved_as_absent_may_be_claimed_again(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    assert one.claim("R-1", HASH, None, settle_after=60)
    clock.now += 61
    resolved = one.resolve("R-1", "absent", who="anna", reason="not in RMA")
    assert one.claim("R-1", HASH, resolved, settle_after=60)


def test_a_claim_that_is_alive_is_resolved_by_force_only(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    assert one.claim("R-1", HASH, None, settle_after=60)
    clock.now += 59
    with pytest.raises(InvalidInputError, match="R-1.*may still appear.*force"):
        one.resolve("R-1", "absent", who="anna", reason="not in RMA")
    assert one.resolve("R-1", "absent", who="anna", reason="worker is dead", force=True).state == JournalState.RELEASED


def test_what_is_not_in_doubt_is_resolved_by_force_only(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    one.import_booked(BookedDocument("R-1"), HASH)
    with pytest.raises(InvalidInputError, match="created already"):
        one.resolve("R-1", "booked", who="anna", reason="seen", force=True)
    with pytest.raises(InvalidInputError, match="not in doubt"):
        one.resolve("R-1", "absent", who="anna", reason="deleted in RMA")
    assert one.resolve("R-1", "absent", who="anna", reason="deleted in RMA", force=True).state == JournalState.RELEASED
    with pytest.raises(InvalidInputError, match="R-2: the journal has no row"):
        one.resolve("R-2", "absent", who="anna", reason="deleted in RMA")


def test_a_run_that_was_overruled_does_not_overwrite_the_decision(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    one.resolve("R-1", "absent", who="anna", reason="worker is dead", force=True)
    assert not one.record(entry, JournalState.CREATED)


def test_many_documents_are_imported_in_a_stream(url: str, clock: Clock) -> None:
    one = journal(url, clock)
    assert one.claim("R-3", HASH, None, settle_after=60)
    one.import_booked(BookedDocument("R-5", "5"), HASH)

    def documents() -> Iterator[tuple[BookedDocument, str]]:
        for number in range(1200):
            yield BookedDocument(f"R-{number}", str(number), Decimal("1.00"), Decimal("1.08"), "CHF"), HASH[:16]
        yield BookedDocument("r-7", "1207"), HASH[:16]

    result = one.import_many(documents(), note="found")
    assert (result.added, result.resolved, result.known, result.repeated) == (1198, 1, 1, 1)
    assert result.repeated_numbers == ["r-7"]
    assert list(one.open_rows()) == []
    assert one.get(["r-7"])["r-7"].document_id == "7"
    assert [event.after for event in one.history("R-3")] == [JournalState.CLAIMED, JournalState.CREATED]
    again = one.import_many([(BookedDocument("R-9", "9"), HASH[:16])], note="found")
    assert (again.added, again.known) == (0, 1)


def test_importing_does_not_collide_with_running_tasks(url: str) -> None:
    one = journal(url)

    def work(worker: int) -> None:
        if worker % 2:
            documents = ((BookedDocument(f"R-{number}", str(number)), HASH[:16]) for number in range(300))
            one.import_many(documents, note="found")
        else:
            for number in range(0, 300, 10):
                one.import_booked(BookedDocument(f"R-{number}", str(number)), HASH)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    rows = one.get(f"r-{number}" for number in range(300))
    assert {row.state for row in rows.values()} == {JournalState.CREATED}
    assert len(rows) == 300
    assert all(len(one.history(number)) == 1 for number in list(rows)[:20])
