"""One document: claimed, sent once, read back, recorded."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.kinds.customer import CustomerDocument
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.outcomes import DocumentResult
from airflow_provider_rma.billing.results import TAKEN
from airflow_provider_rma.billing.sender import DocumentSender, SendReport
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConnectionNotMadeError,
    FieldProblem,
    IncompleteResponseError,
    InvalidInputError,
    JournalError,
    LedgerError,
    OutcomeUnknownError,
    RejectedError,
    ServerError,
    UnexpectedResponseError,
    WritesNotAllowedError,
)
from tests.support.billing_desk import Desk
from tests.support.invoices import make_invoice

InvoiceDesk = Desk[InvoiceDocument]

LOST = OutcomeUnknownError("the connection was lost")
REFUSED = RejectedError("refused", is_final=True, status=400, server_message="Ungültige Kontonummer")
EMPTY = RejectedError("refused", status=400)


def report(desk: Desk[Any], record: dict[str, Any] | None = None) -> SendReport:
    document = desk.add(record or make_invoice())
    return DocumentSender(desk.kind, desk.journal).send(document, desk.journal.get([document.key]).get(document.key))


def send(desk: Desk[Any], record: dict[str, Any] | None = None) -> DocumentResult:
    result = report(desk, record).result
    assert result is not None
    return result


def test_a_document_that_is_accepted_and_found_is_created(desk: InvoiceDesk) -> None:
    result = send(desk)
    assert (result.outcome, result.reasons, result.document_id) == ("created", (), "10000")
    row = desk.row(result.number)
    assert (row.state, row.attempts, row.document_id, row.note) == (JournalState.CREATED, 1, "10000", None)


def test_the_claim_is_written_before_the_request(desk: InvoiceDesk) -> None:
    states: list[JournalState] = []
    create = desk.client.create_invoice
    desk.client.create_invoice = lambda entity: (  # type: ignore[method-assign]
        states.append(desk.row(entity["invnumber"]).state),
        create(entity),
    )
    send(desk)
    assert states == [JournalState.CLAIMED]


def test_what_is_accepted_and_not_found_is_unknown(desk: InvoiceDesk) -> None:
    desk.client.create_invoice = lambda entity: None  # type: ignore[method-assign]
    result = send(desk)
    assert (result.outcome, result.reasons) == ("unknown", ("accepted, but not in the books yet",))
    assert desk.row(result.number).state == JournalState.UNKNOWN


def test_a_doubt_that_reading_resolves_is_created_with_the_doubt_in_words(desk: InvoiceDesk) -> None:
    desk.client.errors["create_invoice"] = [LOST]
    desk.client.books_failed_posts = True
    result = send(desk)
    assert result.outcome == "created"
    assert result.reasons == ("no reliable answer (the connection was lost); found in the books by reading",)


def test_a_doubt_that_reading_does_not_resolve_is_unknown(desk: InvoiceDesk) -> None:
    desk.client.errors["create_invoice"] = [LOST]
    result = send(desk)
    assert result.outcome == "unknown"
    assert result.reasons == ("no reliable answer (the connection was lost), but not in the books yet",)
    assert desk.client.posts == [result.number]


def test_a_document_that_cannot_be_read_back_is_unknown(desk: InvoiceDesk) -> None:
    desk.client.errors["get_invoice"] = [ServerError("out of order", status=500)]
    result = send(desk)
    assert (result.outcome, result.reasons) == ("unknown", ("accepted, and reading back failed (out of order)",))


def test_a_refused_document_that_is_absent_is_rejected(desk: InvoiceDesk) -> None:
    desk.client.errors["create_invoice"] = [REFUSED]
    result = send(desk)
    assert (result.outcome, result.server_message) == ("rejected", "Ungültige Kontonummer")
    assert result.reasons == ("refused by RMA (HTTP 400); server_message quotes its reason, correct the record",)
    assert (desk.row(result.number).state, desk.row(result.number).note) == ("rejected", "refused with HTTP 400")


def test_a_refusal_without_a_word_is_not_said_to_have_one(desk: InvoiceDesk) -> None:
    desk.client.errors["create_invoice"] = [EMPTY]
    result = send(desk)
    assert (result.outcome, result.server_message) == ("rejected", None)
    assert result.reasons == ("refused with HTTP 400 without a reason, and not in the books",)


def test_a_second_attempt_that_is_refused_without_a_word_and_found_was_created(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.leave(record["invnumber"], JournalState.UNKNOWN, settle_after=0.5)
    desk.client.errors["create_invoice"] = [EMPTY]
    desk.client.books_failed_posts = True
    result = send(desk, record)
    assert (result.outcome, result.reasons) == ("created", ("refused with HTTP 400; found in the books by reading",))


@pytest.mark.parametrize("refusal", [REFUSED, EMPTY])
def test_a_refused_document_that_is_in_the_books_was_created(desk: InvoiceDesk, refusal: RejectedError) -> None:
    desk.client.errors["create_invoice"] = [refusal]
    desk.client.books_failed_posts = True
    result = send(desk)
    assert (result.outcome, result.reasons) == ("created", ("refused with HTTP 400; found in the books by reading",))
    assert desk.row(result.number).state == JournalState.CREATED


def test_a_document_that_an_earlier_attempt_has_booked_is_unchanged(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.leave(record["invnumber"], JournalState.UNKNOWN, settle_after=0.5)
    desk.client.errors["create_invoice"] = [REFUSED]
    desk.client.books_failed_posts = True
    result = send(desk, record)
    assert (result.outcome, result.reasons) == ("unchanged", ("refused, because an earlier attempt has booked it",))


def test_after_a_refusal_without_the_services_words_nothing_is_sent_until_the_settle_time_is_over(
    desk: InvoiceDesk,
) -> None:
    desk.client.errors["create_invoice"] = [EMPTY]
    result = send(desk)
    assert result.outcome == "rejected"
    row = desk.row(result.number)
    assert (row.state, row.note) == (JournalState.UNKNOWN, "refused with HTTP 400")
    assert row.is_alive(desk.clock.now)


def test_a_refusal_without_the_services_words_is_unknown_where_reading_back_fails(desk: InvoiceDesk) -> None:
    desk.client.errors = {"create_invoice": [EMPTY], "get_invoice": [ServerError("out of order")]}
    result = send(desk)
    assert result.reasons == ("refused with HTTP 400, and reading back failed (out of order)",)
    assert result.outcome == "unknown"


def test_a_first_refusal_stands_where_reading_back_fails(desk: InvoiceDesk) -> None:
    desk.client.errors = {"create_invoice": [REFUSED], "get_invoice": [ServerError("out of order")]}
    assert send(desk).outcome == "rejected"


def test_a_second_refusal_is_unknown_where_reading_back_fails(desk: InvoiceDesk) -> None:
    record = make_invoice()
    desk.leave(record["invnumber"], JournalState.UNKNOWN, settle_after=0.5)
    desk.client.errors = {"create_invoice": [REFUSED], "get_invoice": [ServerError("out of order")]}
    result = send(desk, record)
    assert (result.outcome, result.reasons) == (
        "unknown",
        ("refused with HTTP 400, and reading back failed (out of order)",),
    )


@pytest.mark.parametrize("text", ["Die Periode ist abgeschlossen", "Period is CLOSED", "Konto gesperrt"])
def test_a_refusal_that_speaks_of_a_closed_period_is_one(desk: InvoiceDesk, text: str) -> None:
    desk.client.errors["create_invoice"] = [RejectedError("refused", is_final=True, status=400, server_message=text)]
    result = send(desk)
    assert result.outcome == "closed_period"
    assert desk.row(result.number).note == "refused with HTTP 400: closed period"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionNotMadeError("refused"),
        WritesNotAllowedError("read-only"),
        InvalidInputError([FieldProblem("invoice 1: notes", "is wrong", "correct it")]),
    ],
)
def test_a_document_that_was_not_sent_is_released(desk: InvoiceDesk, error: Exception) -> None:
    record = make_invoice()
    desk.client.errors["create_invoice"] = [error]
    assert report(desk, record) == SendReport(None, error)
    assert (desk.row(record["invnumber"]).state, desk.row(record["invnumber"]).note) == ("released", "not sent")


@pytest.mark.parametrize("is_booked", [False, True])
@pytest.mark.parametrize(
    ("error", "ends_the_run"),
    [
        (AuthenticationError("token", status=403), True),
        (AuthenticationError("token", status=401, is_final=True), True),
        (IncompleteResponseError("cut"), False),
        (UnexpectedResponseError("a page"), False),
        (ServerError("out of order", status=500), False),
        (LedgerError("of another part"), True),
        (ValueError("a mistake in the program"), True),
        (MemoryError(), True),
    ],
)
def test_any_other_error_is_a_doubt_that_is_read_back(
    desk: InvoiceDesk, error: Exception, ends_the_run: bool, is_booked: bool
) -> None:
    desk.client.errors["create_invoice"] = [error]
    desk.client.books_failed_posts = is_booked
    end = report(desk)
    assert end.failure is (error if ends_the_run else None)
    assert end.result is not None
    assert end.result.outcome == ("created" if is_booked else "unknown")
    assert desk.row(end.result.number).state == ("created" if is_booked else "unknown")


def test_an_error_of_ours_while_reading_back_is_a_doubt(desk: InvoiceDesk) -> None:
    mistake = ValueError("a mistake in the program")
    desk.client.errors["get_invoice"] = [mistake]
    end = report(desk)
    assert (end.failure, end.result and end.result.outcome) == (mistake, "unknown")


def test_a_document_booked_otherwise_than_meant_is_a_conflict(desk: InvoiceDesk) -> None:
    create = desk.client.create_invoice
    desk.client.create_invoice = lambda entity: create(  # type: ignore[method-assign]
        {**entity, "transdate": date(2026, 9, 16)}
    )
    result = send(desk)
    assert (result.outcome, result.reasons) == ("conflict", ("transdate: meant 2026-09-15, booked 2026-09-16",))
    assert desk.row(result.number).note == "booked otherwise than meant"


def test_a_number_that_no_path_can_carry_is_read_back_by_its_date(desk: InvoiceDesk) -> None:
    result = send(desk, make_invoice(invnumber="RG 7/ü"))
    assert result.outcome == "created"
    assert desk.client.calls[-1] == ("iter_invoices", date(2026, 9, 15))


def test_two_documents_after_sending_are_a_duplicate(desk: InvoiceDesk) -> None:
    record = make_invoice(invnumber="RG 7/ü")
    desk.client.create_invoice(desk.kind.read(record, 1).invoice)
    result = send(desk, record)
    assert result.outcome == "duplicate"
    assert "(ids 10000, 10001)" in result.reasons[0]
    assert desk.row("RG 7/ü").note == "duplicate"


def test_a_document_that_another_run_has_claimed_is_not_sent(desk: InvoiceDesk) -> None:
    document = desk.add(make_invoice())
    desk.leave(document.number, JournalState.CLAIMED)
    result = DocumentSender(desk.kind, desk.journal).send(document, None).result
    assert result is not None
    assert (result.outcome, result.reasons) == ("unknown", (TAKEN,))
    assert desk.client.posts == []


def test_a_document_that_another_run_has_booked_meanwhile_is_unchanged(desk: InvoiceDesk) -> None:
    document = desk.add(make_invoice())
    desk.client.create_invoice(document.invoice)
    desk.leave(document.number, JournalState.CREATED)
    result = DocumentSender(desk.kind, desk.journal).send(document, None).result
    assert result is not None
    assert (result.outcome, result.document_id) == ("unchanged", "10000")
    assert desk.client.posts == [document.number]


def test_what_is_known_stays_known_where_the_journal_cannot_be_written(
    desk: InvoiceDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> bool:
        raise JournalError("disk full")

    monkeypatch.setattr(type(desk.journal), "record", broken)
    result = send(desk)
    assert result.outcome == "created"
    assert f"created of {result.number} could not be recorded: disk full" in caplog.text
    assert desk.row(result.number).state == JournalState.CLAIMED


def test_an_invoice_carries_its_recovery_tag(desk: InvoiceDesk) -> None:
    send(desk, make_invoice(intnotes="Projekt 7"))
    (booked,) = desk.client.invoices
    assert booked["intnotes"].splitlines() == ["Projekt 7", f"[rma {desk.row(booked['invnumber']).content_hash[:16]}]"]


# ---------------------------------------------------------------------- customers, whom a POST overwrites


def customer(**fields: Any) -> dict[str, Any]:
    return {"customernumber": "K-9", "name": "Berghütte AG"} | fields


def test_a_customer_is_created(customer_desk: Desk[CustomerDocument]) -> None:
    assert send(customer_desk, customer()).outcome == "created"


def test_after_a_doubt_a_customer_must_show_the_values_meant(customer_desk: Desk[CustomerDocument]) -> None:
    customer_desk.client.customers.append(customer(name="Alphütte AG"))
    customer_desk.client.errors["save_customer"] = [LOST]
    result = send(customer_desk, customer())
    assert result.outcome == "unknown"
    assert result.reasons[0].endswith("and RMA does not show the values meant")


def test_a_customer_saved_otherwise_than_meant_is_a_conflict(customer_desk: Desk[CustomerDocument]) -> None:
    save = customer_desk.client.save_customer
    customer_desk.client.save_customer = lambda entity: save(  # type: ignore[method-assign]
        {**entity, "name": "B. AG"}
    )
    result = send(customer_desk, customer())
    assert (result.outcome, result.reasons) == ("conflict", ("saved otherwise than meant: name",))


def test_a_refused_customer_is_rejected_though_one_of_that_number_exists(
    customer_desk: Desk[CustomerDocument],
) -> None:
    customer_desk.client.customers.append(customer())
    customer_desk.client.errors["save_customer"] = [REFUSED]
    assert send(customer_desk, customer()).outcome == "rejected"
    assert "get_customer" not in dict(customer_desk.client.calls)
