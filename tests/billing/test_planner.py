"""Decisions about documents, each by one rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.kinds.customer import CustomerDocument
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.planner import MAX_NAMED
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.working_set import PlannedDecision
from airflow_provider_rma.exceptions import ServerError
from tests.support.billing_desk import HASH, Desk
from tests.support.fake_client import FakeClient
from tests.support.invoices import make_invoice

InvoiceDesk = Desk[InvoiceDocument]


@pytest.fixture(autouse=True)
def known_customer(client: FakeClient) -> None:
    client.customers.append({"customernumber": "K-001"})


def book(desk: InvoiceDesk, record: dict[str, Any], **changes: Any) -> None:
    """Put an invoice into the books as somebody else would."""
    desk.client.create_invoice(desk.kind.read(record | changes, 1).invoice)


def use(desk: Desk[Any], **policy: Any) -> None:
    desk.kind = replace(desk.kind, policy=Policy(**policy))


def test_a_document_that_is_absent_is_sent(desk: InvoiceDesk) -> None:
    document = desk.add(make_invoice())
    planner = desk.plan()
    assert desk.decisions() == ["create"]
    assert list(desk.working_set.to_send()) == [document]
    assert (planner.seen, planner.alarms, planner.retry_at) == ({}, [], None)


def test_a_document_in_the_books_is_unchanged_and_journalled_under_its_own_number(desk: InvoiceDesk) -> None:
    document = desk.add(make_invoice(invnumber="rg-1"))
    book(desk, make_invoice(invnumber="RG-1"))
    desk.plan()
    (result,) = desk.results()
    assert (result.outcome, result.document_id, str(result.gross)) == ("unchanged", "10000", "108.10")
    row = desk.row("RG-1")
    assert (row.state, row.number, row.content_hash) == (JournalState.CREATED, "rg-1", document.content_hash)


def test_a_document_booked_otherwise_is_a_conflict(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.add(record)
    book(desk, record, transdate=date(2026, 9, 16))
    desk.plan()
    (result,) = desk.results()
    assert (result.outcome, result.reasons) == ("conflict", ("transdate: meant 2026-09-15, booked 2026-09-16",))


def test_a_document_booked_twice_is_a_duplicate_and_no_longer_in_doubt(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.add(record)
    desk.leave(record["invnumber"], JournalState.UNKNOWN)
    book(desk, record)
    book(desk, record)
    desk.plan()
    (result,) = desk.results()
    assert result.outcome == "duplicate"
    assert "2 documents carry this number (ids 10000, 10001)" in result.reasons[0]
    assert desk.row(record["invnumber"]).state == JournalState.CREATED


def test_a_booked_document_that_is_gone_is_a_conflict(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.add(record)
    desk.leave(record["invnumber"], JournalState.CREATED)
    book(desk, make_invoice())
    desk.plan()
    (result,) = desk.results()
    assert result.outcome == "conflict"
    assert "no longer in the books" in result.reasons[0]


def test_a_document_booked_while_the_books_were_read_is_unknown(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.add(record)
    desk.leave(record["invnumber"], JournalState.CREATED)
    desk.clock.now -= 1
    desk.plan()
    (result,) = desk.results()
    assert result.outcome == "unknown"
    assert "booked by another run while this one was reading" in result.reasons[0]


def test_a_document_in_doubt_waits_for_its_settle_time(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.add(record)
    row = desk.leave(record["invnumber"], JournalState.UNKNOWN, settle_after=300)
    planner = desk.plan()
    (result,) = desk.results()
    assert result.outcome == "unknown"
    assert "not in the books; settles at 1970-01-01 01:21:40" in result.reasons[0]
    assert planner.retry_at == row.settles_at == 1_300


def test_a_document_in_doubt_that_is_absent_after_its_settle_time_is_sent_on_the_row_that_was_seen(
    desk: InvoiceDesk,
) -> None:
    document = desk.add(make_invoice())
    row = desk.leave(document.number, JournalState.UNKNOWN, settle_after=0.5)
    planner = desk.plan()
    assert desk.decisions() == ["create"]
    assert planner.seen == {document.key: row}


@pytest.mark.parametrize("state", [JournalState.REJECTED, JournalState.RELEASED])
def test_a_document_that_was_refused_or_released_is_sent(desk: InvoiceDesk, state: JournalState) -> None:
    document = desk.add(make_invoice())
    desk.leave(document.number, state)
    desk.plan()
    assert desk.decisions() == ["create"]


def test_a_blocked_document_is_held_until_a_person_decides(desk: InvoiceDesk) -> None:
    document = desk.add(make_invoice())
    desk.journal.block(document.number, HASH, None, reason="probably booked as R-77")
    desk.plan()
    (result,) = desk.results()
    assert result.outcome == "held"
    assert result.reasons[0].startswith("not sent: probably booked as R-77; ")
    assert f"rma journal resolve {document.number} --as absent" in result.reasons[0]


@pytest.mark.parametrize(("day", "decision"), [(30, "closed_period"), (31, "create")])
def test_the_closed_period_ends_with_its_last_day(desk: InvoiceDesk, day: int, decision: str) -> None:
    use(desk, closed_until=date(2026, 8, 30))
    desk.add(make_invoice(transdate=date(2026, 8, day)))
    desk.plan()
    assert desk.decisions() == [decision]


def test_a_booked_document_of_a_closed_period_is_unchanged(desk: InvoiceDesk) -> None:
    use(desk, closed_until=date(2026, 12, 31))
    record = make_invoice()
    desk.add(record)
    book(desk, record)
    desk.plan()
    assert desk.decisions() == ["unchanged"]


def test_of_a_number_that_is_repeated_nothing_is_sent(desk: InvoiceDesk) -> None:
    desk.add(make_invoice(invnumber="A-1"))
    desk.add(make_invoice())
    desk.add(make_invoice(invnumber="a-1"))
    desk.plan()
    assert desk.decisions() == ["invalid", "create", "invalid"]
    assert "stands at positions 1, 3 of this batch" in desk.results()[0].reasons[0]


@pytest.mark.parametrize(("planned", "decision"), [("create", "create"), ("closed_period", "held"), (None, "create")])
def test_what_an_approved_plan_does_not_send_is_not_sent(desk: InvoiceDesk, planned: str | None, decision: str) -> None:
    desk.add(make_invoice(), planned=PlannedDecision(planned, ("closed until then",)) if planned else None)
    desk.plan()
    assert desk.decisions() == [decision]
    if decision == "held":
        assert "the approved plan says closed_period (closed until then), and now" in desk.results()[0].reasons[0]


def test_what_an_approved_plan_does_not_send_keeps_its_real_reason(desk: InvoiceDesk) -> None:
    desk.add(make_invoice(customernumber="K-9"), planned=PlannedDecision("invalid", ("there is no customer K-9",)))
    desk.plan()
    (result,) = desk.results()
    assert result.outcome == "invalid"
    assert "there is no customer K-9 in RMA" in result.reasons[0]
    assert result.is_as_planned


def test_nothing_is_read_where_there_is_nothing_to_decide(desk: InvoiceDesk) -> None:
    desk.plan()
    assert desk.client.calls == []


# ---------------------------------------------------------------------- documents of earlier runs


def test_a_document_of_an_earlier_run_that_is_found_is_booked(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.leave(record["invnumber"], JournalState.UNKNOWN)
    book(desk, record)
    desk.plan()
    row = desk.row(record["invnumber"])
    assert (row.state, row.document_id, str(row.gross)) == (JournalState.CREATED, "10000", "108.10")


@pytest.mark.parametrize(("settle_after", "state"), [(0.5, JournalState.RELEASED), (300, JournalState.UNKNOWN)])
def test_a_document_of_an_earlier_run_is_released_once_it_is_settled(
    desk: InvoiceDesk, settle_after: float, state: JournalState
) -> None:
    desk.leave("R-lost", JournalState.UNKNOWN, settle_after=settle_after)
    planner = desk.plan()
    assert desk.row("R-lost").state == state
    assert planner.retry_at == (1_300 if state == JournalState.UNKNOWN else None)


def test_a_document_of_an_earlier_run_that_is_there_twice_raises_an_alarm(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.leave(record["invnumber"], JournalState.CLAIMED)
    book(desk, record)
    book(desk, record)
    (alarm,) = desk.plan().alarms
    assert alarm.startswith(f"invoice {record['invnumber']}: 2 documents carry this number")
    assert desk.row(record["invnumber"]).state == JournalState.CREATED


# ---------------------------------------------------------------------- master data


def test_what_the_tenant_does_not_have_is_invalid_and_the_rest_is_sent(desk: InvoiceDesk) -> None:
    desk.add(make_invoice(customernumber="K-none"))
    desk.add(make_invoice())
    desk.plan()
    assert desk.decisions() == ["invalid", "create"]
    assert desk.results()[0].reasons == (
        "customernumber: there is no customer K-none in RMA; create the customer first",
    )


def test_master_data_are_not_read_where_that_is_switched_off_or_nothing_is_sent(desk: InvoiceDesk) -> None:
    record = make_invoice()
    book(desk, record)
    desk.add(record)
    desk.plan()
    use(desk, check_master_data=False)
    desk.add(make_invoice(customernumber="K-none"))
    desk.plan()
    assert desk.decisions() == ["unchanged", "create"]
    assert "list_customers" not in dict(desk.client.calls)


def test_a_reading_that_fails_decides_nothing(desk: InvoiceDesk) -> None:
    desk.client.errors["iter_invoices"] = [ServerError("out of order", status=500)]
    desk.add(make_invoice())
    with pytest.raises(ServerError):
        desk.plan()
    assert list(desk.working_set.to_send()) == []


# ---------------------------------------------------------------------- absence by number


def test_a_number_is_asked_for_by_itself_where_a_known_one_is_found(desk: InvoiceDesk) -> None:
    known = make_invoice()
    book(desk, known)
    desk.leave(known["invnumber"], JournalState.CREATED)
    use(desk, absence_check="by_number", check_master_data=False)
    record = make_invoice()
    desk.add(record)
    desk.client.calls.clear()
    desk.plan()
    assert desk.client.calls == [("get_invoice", known["invnumber"]), ("get_invoice", record["invnumber"])]
    assert desk.decisions() == ["create"]


def test_without_a_known_number_the_list_is_read(desk: InvoiceDesk) -> None:
    use(desk, absence_check="by_number", check_master_data=False)
    desk.add(make_invoice())
    desk.plan()
    assert [name for name, _ in desk.client.calls] == ["iter_invoices"]


# ---------------------------------------------------------------------- customers


def customer(**fields: Any) -> dict[str, Any]:
    return {"customernumber": "K-1", "name": "Alphütte AG"} | fields


def test_an_existing_customer_is_not_written(customer_desk: Desk[CustomerDocument]) -> None:
    customer_desk.add(customer(name="Berghütte AG"))
    customer_desk.plan()
    (result,) = customer_desk.results()
    assert (result.outcome, result.reasons) == ("unchanged", ("differs in RMA, not managed: name",))


def test_managed_fields_are_written_into_the_customer_as_read(
    customer_desk: Desk[CustomerDocument], client: FakeClient
) -> None:
    client.customers = [customer(phone="000", email="old@example.com")]
    customer_desk.add(customer(name="Other", email="new@example.com"))
    customer_desk.plan()
    (document,) = customer_desk.working_set.to_send()
    assert document.customer == customer(phone="000", email="new@example.com")
    assert (document.meant, document.sent_outcome) == ({"email": "new@example.com"}, "updated")


def test_a_customer_who_is_gone_is_created_again(customer_desk: Desk[CustomerDocument]) -> None:
    customer_desk.add(customer(customernumber="K-2"))
    customer_desk.leave("K-2", JournalState.CREATED)
    customer_desk.plan()
    assert customer_desk.decisions() == ["create"]


def test_the_presence_of_a_customer_does_not_resolve_a_write_in_doubt(customer_desk: Desk[CustomerDocument]) -> None:
    customer_desk.leave("K-1", JournalState.UNKNOWN)
    customer_desk.plan()
    assert customer_desk.row("K-1").state == JournalState.UNKNOWN


# ---------------------------------------------------------------------- what a list proves


@pytest.mark.parametrize(
    ("state", "decision"), [(None, "held"), (JournalState.CREATED, "held"), (JournalState.UNKNOWN, "unknown")]
)
def test_on_the_strength_of_an_empty_list_nothing_is_sent_and_no_doubt_is_resolved(
    desk: InvoiceDesk, state: JournalState | None, decision: str
) -> None:
    record = make_invoice()
    desk.add(record)
    if state is not None:
        desk.leave(record["invnumber"], state, settle_after=0.5)
    other = desk.leave("R-other", JournalState.UNKNOWN, settle_after=0.5)
    desk.leave("R-booked", JournalState.CREATED)
    desk.plan()
    assert desk.decisions() == [decision]
    assert "the list of invoices holds none of" in desk.results()[0].reasons[0]
    assert desk.row(other.number).state == JournalState.UNKNOWN


def test_a_number_of_an_earlier_run_that_is_in_the_books_twice_raises_an_alarm(desk: InvoiceDesk) -> None:
    twice = make_invoice()
    desk.add(make_invoice())
    desk.leave(twice["invnumber"], JournalState.CREATED)
    book(desk, twice)
    book(desk, twice)
    (alarm,) = desk.plan().alarms
    assert alarm.startswith(f"invoice {twice['invnumber']}: 2 documents carry this number (ids 10000, 10001)")
    assert desk.decisions() == ["create"]


def test_of_many_repeated_numbers_some_are_named(desk: InvoiceDesk) -> None:
    desk.add(make_invoice())
    for _ in range(MAX_NAMED + 2):
        record = make_invoice()
        desk.leave(record["invnumber"], JournalState.CREATED)
        book(desk, record)
        book(desk, record)
    alarms = desk.plan().alarms
    assert len(alarms) == MAX_NAMED + 1
    assert alarms[-1] == "2 more invoices are in the books more than once"
