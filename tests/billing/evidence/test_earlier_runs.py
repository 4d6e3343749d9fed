"""Earlier runs are put on record once, also by runs at the same time, and also if they live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.outcomes import RunSummary
from airflow_provider_rma.exceptions import OutcomeUnknownError, ServerError
from airflow_provider_rma.fault_points import at
from tests.support.billing_office import Office
from tests.support.failing_files import FailingFiles
from tests.support.invoices import make_invoice


class Crash(BaseException):
    """The process is dead: nothing of it runs any more."""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(FailingFiles(), "/rma", tmp_path)
    yield office
    office.engine.dispose()


def once(act: Callable[[], object]) -> Callable[..., None]:
    """A handler that acts the first time only, so that what it does may reach the same point."""
    left = [act]

    def handler(**_: object) -> None:
        if left:
            left.pop()()

    return handler


def crash() -> None:
    raise Crash


def kill_before_the_record(office: Office, records: list[dict[str, Any]]) -> None:
    with at("record.begun", once(crash)), pytest.raises(Crash):
        office.run().send(records)


def test_a_run_that_was_taken_for_dead_and_lives_states_nothing_twice(office: Office) -> None:
    records = [make_invoice() for _ in range(3)]
    with at("record.begun", once(lambda: office.bill(records))):
        said = office.bill(records)
    assert isinstance(said, RunSummary)
    assert said.counts == {"created": 3}
    office.judge()
    first, second, third = office.links()
    assert (first["recorded_by"], first["counts"]) == ("nightly/1/bill", {"created": 3})
    assert {link["recorded_by"] for link in (second, third)} == {None}
    assert [link["counts"] for link in (second, third)] == [{"unchanged": 3}, {"unchanged": 3}]


@pytest.mark.parametrize("point", ["evidence.written", "evidence.linked", "earlier_run.linked"])
def test_two_runs_that_put_the_same_run_on_record_write_one_link(office: Office, point: str) -> None:
    records = [make_invoice() for _ in range(3)]
    kill_before_the_record(office, records)
    with at(point, once(lambda: office.bill(records))):
        office.bill(records)
    office.judge()
    assert [link["recorded_by"] is None for link in office.links()].count(False) == 1
    office.bill(records)
    office.judge()


def test_a_run_is_put_on_record_with_name_hashes_and_times_of_its_own(office: Office) -> None:
    records = [make_invoice()]
    kill_before_the_record(office, records)
    summary = office.bill(records)
    assert isinstance(summary, RunSummary)
    dead, own = office.links()
    assert dead["input_hash"] == own["input_hash"]
    assert dead["started"] <= dead["finished"] <= own["finished"]
    (entry,) = summary.as_dict()["earlier_runs"]
    assert entry["outcome_path"] == "/rma/run-1/outcomes-from-journal.ndjson"
    assert (entry["run"], entry["booked"], entry["in_doubt"]) == ("nightly/1/bill", 1, 0)
    with office.fs.open(summary.page_path, "rb") as stream:
        assert b"Earlier runs put on record" in stream.read()


def test_a_doubt_that_is_settled_later_gets_a_link_of_its_run(office: Office) -> None:
    record = make_invoice()
    office.client.errors["create_invoice"] = [OutcomeUnknownError("lost")]
    office.client.books_failed_posts = True
    office.client.errors["get_invoice"] = [ServerError("down", status=500)]
    office.bill([record])
    assert [link["counts"] for link in office.links()] == [{"unknown": 1}]
    office.bill([record])
    office.judge()
    assert [link["counts"] for link in office.links()] == [{"unknown": 1}, {"created": 1}, {"unchanged": 1}]


def test_a_document_that_was_proven_absent_and_sent_again_is_created_by_the_run_that_booked_it(office: Office) -> None:
    record = make_invoice()
    office.client.errors["create_invoice"] = [OutcomeUnknownError("lost")]
    office.bill([record])
    row = office.journal().get([record["invnumber"].casefold()])[record["invnumber"].casefold()]
    office.journal().record(row, JournalState.RELEASED, note="proven absent by a later run")
    office.bill([record])
    office.judge()
    assert [link["counts"] for link in office.links()] == [{"unknown": 1}, {"created": 1}]
