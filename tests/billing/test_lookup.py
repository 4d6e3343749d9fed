"""Reading what the books hold under the numbers of a run."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.lookup import Findings, Lookup
from airflow_provider_rma.exceptions import ServerError
from airflow_provider_rma.schemas.date_range import EARLIEST_DAY, LATEST_DAY
from tests.support.billing_desk import Desk
from tests.support.invoices import make_invoice

InvoiceDesk = Desk[InvoiceDocument]


def book(desk: InvoiceDesk, **fields: Any) -> str:
    invoice = desk.kind.read(make_invoice(**fields), 1).invoice
    desk.client.create_invoice(invoice)
    return str(invoice["invnumber"])


def lookup(desk: InvoiceDesk) -> Lookup[InvoiceDocument]:
    open_rows = {row.key: row for row in desk.journal.open_rows()}
    return Lookup(desk.kind, desk.working_set, open_rows, desk.clock.now)


def test_of_the_list_only_numbers_of_the_run_and_open_rows_are_kept(desk: InvoiceDesk) -> None:
    mine = desk.add(make_invoice())
    other, open_number = book(desk), book(desk)
    book(desk, invnumber=mine.number)
    desk.leave(open_number, JournalState.UNKNOWN)
    lookup(desk).read_list(desk.journal.booked_keys(desk.clock.now))
    keys = [number.casefold() for number in (mine.number, open_number, other)]
    assert [len(desk.working_set.booked(key)) for key in keys] == [1, 1, 0]


def test_the_list_is_read_over_all_times(desk: InvoiceDesk) -> None:
    old, future = desk.add(make_invoice()), desk.add(make_invoice())
    for document, day in ((old, EARLIEST_DAY), (future, LATEST_DAY)):
        desk.client.create_invoice(document.invoice | {"transdate": day})
    lookup(desk).read_list(desk.journal.booked_keys(desk.clock.now))
    assert [len(desk.working_set.booked(document.key)) for document in (old, future)] == [1, 1]


def test_what_is_found_is_compared_with_the_document_of_its_number(desk: InvoiceDesk) -> None:
    document = desk.add(make_invoice())
    book(desk, invnumber=document.number.lower(), customernumber="K-002")
    lookup(desk).read_list(desk.journal.booked_keys(desk.clock.now))
    (comparison,) = desk.working_set.booked(document.key)
    assert comparison.differences == ("customernumber: meant K-001, booked K-002",)


def test_what_no_valid_document_stands_for_is_not_compared(desk: InvoiceDesk) -> None:
    number = book(desk)
    desk.leave(number, JournalState.UNKNOWN)
    lookup(desk).read_list(desk.journal.booked_keys(desk.clock.now))
    (comparison,) = desk.working_set.booked(number.casefold())
    assert (comparison.differences, comparison.unchecked) == ((), ("everything",))


def test_each_number_is_asked_for_once_a_known_one_is_found(desk: InvoiceDesk) -> None:
    known, open_number = book(desk), "R-open"
    document = desk.add(make_invoice())
    desk.leave(open_number, JournalState.UNKNOWN)
    desk.client.calls.clear()
    assert lookup(desk).ask_by_number(["R-none", known])
    assert [number for _, number in desk.client.calls] == ["R-none", known, document.number, open_number]


def test_a_look_up_that_finds_no_known_number_is_not_trusted(desk: InvoiceDesk) -> None:
    desk.add(make_invoice())
    assert not lookup(desk).ask_by_number(["R-none"])
    assert [number for _, number in desk.client.calls] == ["R-none"]


@pytest.mark.parametrize("known", ["R 1", "R/1", "Ü-1"])
def test_a_known_number_that_no_path_can_carry_proves_nothing(desk: InvoiceDesk, known: str) -> None:
    book(desk, invnumber=known)
    desk.add(make_invoice())
    desk.client.calls.clear()
    assert not lookup(desk).ask_by_number([known])
    assert desk.client.calls == []


def test_one_number_that_no_path_can_carry_spoils_the_look_up(desk: InvoiceDesk) -> None:
    known = book(desk)
    desk.add(make_invoice())
    desk.add(make_invoice(invnumber="R/77 ü"))
    desk.client.calls.clear()
    assert not lookup(desk).ask_by_number([known])
    assert desk.client.calls == []


def test_a_look_up_that_fails_is_no_absence(desk: InvoiceDesk) -> None:
    known = book(desk)
    desk.add(make_invoice())
    desk.client.errors["get_invoice"] = [None, ServerError("out of order")]
    with pytest.raises(ServerError):
        lookup(desk).ask_by_number([known])


# ---------------------------------------------------------------------- what a list proves


def journal_as_booked(desk: InvoiceDesk, *numbers: str) -> None:
    for number in numbers:
        desk.leave(number, JournalState.CREATED)


def read(desk: InvoiceDesk) -> Findings:
    return lookup(desk).read_list(desk.journal.booked_keys(desk.clock.now), desk.journal.newest_booked())


def test_a_list_with_none_of_the_journalled_numbers_proves_nothing(desk: InvoiceDesk) -> None:
    desk.add(make_invoice())
    journal_as_booked(desk, "R-old-1", "R-old-2")
    assert "holds none of the 2" in read(desk).unproven


def test_a_list_of_other_books_proves_nothing_where_the_journalled_numbers_exist(desk: InvoiceDesk) -> None:
    desk.add(make_invoice())
    old = book(desk)
    journal_as_booked(desk, old)
    others = [dict(desk.client.invoices[0], invnumber="R-other")]
    desk.client.iter_invoices = lambda **_: iter(others)  # type: ignore[method-assign]
    assert "holds none of the 1" in read(desk).unproven


def test_numbers_of_a_small_journal_that_are_gone_one_by_one_leave_the_list_its_worth(desk: InvoiceDesk) -> None:
    desk.add(make_invoice())
    book(desk)
    journal_as_booked(desk, "R-removed")
    assert read(desk) == Findings()


def test_a_list_that_lacks_a_number_that_is_there_is_checked_number_by_number(desk: InvoiceDesk) -> None:
    listed, lagging = book(desk), book(desk)
    late = desk.add(make_invoice())
    desk.client.create_invoice(late.invoice)
    odd = desk.add(make_invoice(invnumber="RG 7/2"))
    journal_as_booked(desk, listed, lagging)
    desk.client.iter_invoices = lambda **_: iter(desk.client.invoices[:1])  # type: ignore[method-assign]
    findings = read(desk)
    assert findings.unproven_keys == {odd.key}
    assert [found.booked.number for found in desk.working_set.booked(late.key)] == [late.number]


def test_a_number_that_is_gone_from_the_books_leaves_the_others_their_proof(desk: InvoiceDesk) -> None:
    listed = book(desk)
    gone = desk.add(make_invoice())
    journal_as_booked(desk, listed, gone.number)
    assert read(desk) == Findings()
    assert ("get_invoice", gone.number) in desk.client.calls


def test_numbers_of_the_journal_that_stand_in_the_list_twice_are_found(desk: InvoiceDesk) -> None:
    twice, mine = book(desk), desk.add(make_invoice())
    desk.client.invoices.append(dict(desk.client.invoices[0], id="7"))
    desk.client.create_invoice(mine.invoice)
    journal_as_booked(desk, twice, mine.number)
    repeated = read(desk).repeated
    assert [[found.document_id for found in documents] for documents in repeated.values()] == [["10000", "7"]]


def leave_doubt(desk: InvoiceDesk, number: str, *, settled: bool = True) -> None:
    desk.leave(number, JournalState.UNKNOWN, settle_after=0.5 if settled else 100.0)


def hide_all(desk: InvoiceDesk) -> None:
    """Let the whole list be empty; the list of one day is not."""
    read_list = desk.client.iter_invoices
    desk.client.iter_invoices = lambda **given: (  # type: ignore[method-assign]
        read_list(**given) if given["from_date"] == given["to_date"] else iter(())
    )


@pytest.mark.parametrize("number", ["R-1", "RG 7/2"])
def test_a_doubt_that_the_list_lacks_is_asked_for_by_itself(desk: InvoiceDesk, number: str) -> None:
    document = desk.add(make_invoice(invnumber=number))
    desk.client.create_invoice(document.invoice)
    leave_doubt(desk, number)
    hide_all(desk)
    read(desk)
    assert [found.booked.number for found in desk.working_set.booked(document.key)] == [number]


def test_a_doubt_of_another_input_is_asked_for_too(desk: InvoiceDesk) -> None:
    number = book(desk)
    leave_doubt(desk, number)
    hide_all(desk)
    read(desk)
    assert len(desk.working_set.booked(number.casefold())) == 1


def test_a_list_that_lacks_a_doubt_that_is_there_is_checked_number_by_number(desk: InvoiceDesk) -> None:
    doubt, odd = book(desk), desk.add(make_invoice(invnumber="RG 7/2"))
    late = desk.add(make_invoice())
    desk.client.create_invoice(late.invoice)
    leave_doubt(desk, doubt)
    hide_all(desk)
    assert read(desk).unproven_keys == {odd.key}
    assert len(desk.working_set.booked(late.key)) == 1


def test_a_list_may_lack_what_has_come_since(desk: InvoiceDesk) -> None:
    doubt, other = book(desk), desk.add(make_invoice())
    leave_doubt(desk, doubt, settled=False)
    hide_all(desk)
    assert read(desk) == Findings()
    assert ("get_invoice", other.number) not in desk.client.calls


def test_a_doubt_that_the_list_shows_is_not_asked_for(desk: InvoiceDesk) -> None:
    doubt = book(desk)
    leave_doubt(desk, doubt)
    read(desk)
    assert ("get_invoice", doubt) not in desk.client.calls


def test_a_number_that_no_path_can_carry_is_looked_for_on_its_day(desk: InvoiceDesk) -> None:
    listed = book(desk)
    document = desk.add(make_invoice(invnumber="RG 7/2"))
    desk.client.create_invoice(document.invoice)
    journal_as_booked(desk, listed, document.number)
    read_list = desk.client.iter_invoices
    desk.client.iter_invoices = lambda **given: (  # type: ignore[method-assign]
        one for one in read_list(**given) if given["from_date"] == given["to_date"] or one["invnumber"] == listed
    )
    read(desk)
    assert len(desk.working_set.booked(document.key)) == 1


def test_a_document_that_a_list_holds_twice_is_one_document(desk: InvoiceDesk) -> None:
    """To have one of them removed, as of two documents of one number, would remove the only one."""
    mine, other = desk.add(make_invoice()), book(desk)
    book(desk, invnumber=mine.number)
    desk.leave(other, JournalState.CREATED)
    desk.client.invoices += [*desk.client.invoices, *desk.client.invoices]
    findings = lookup(desk).read_list(desk.journal.booked_keys(desk.clock.now), [other])
    assert len(desk.working_set.booked(mine.key)) == 1
    assert findings == Findings()


def test_of_documents_of_one_number_each_is_counted_once(desk: InvoiceDesk) -> None:
    mine, other = desk.add(make_invoice()), book(desk)
    for number in (mine.number, mine.number, other):
        book(desk, invnumber=number)
    desk.leave(other, JournalState.CREATED)
    desk.client.invoices += desk.client.invoices
    findings = lookup(desk).read_list(desk.journal.booked_keys(desk.clock.now), [other])
    assert len(desk.working_set.booked(mine.key)) == 2
    assert [len(found) for found in findings.repeated.values()] == [2]


def test_without_ids_nobody_can_tell_whether_two_documents_are_one(desk: InvoiceDesk) -> None:
    mine = desk.add(make_invoice())
    book(desk, invnumber=mine.number)
    del desk.client.invoices[0]["id"]
    desk.client.invoices += desk.client.invoices
    lookup(desk).read_list(frozenset())
    assert len(desk.working_set.booked(mine.key)) == 2
