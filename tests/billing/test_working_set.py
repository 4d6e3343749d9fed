"""The records of a run: nothing that is put in comes out otherwise, from memory or from disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from airflow_provider_rma.billing.booked import BookedInvoice
from airflow_provider_rma.billing.kinds.base import Comparison
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument, read_invoice
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.policy import InputRules
from airflow_provider_rma.billing.working_set import PlannedDecision, WorkingSet
from tests.support.invoices import make_invoice


@pytest.fixture(params=[0, 1, 1_000], ids=["on disk", "one in memory", "in memory"])
def working_set(request: pytest.FixtureRequest) -> Iterator[WorkingSet[InvoiceDocument]]:
    with WorkingSet[InvoiceDocument](live=request.param) as opened:
        yield opened


def add(working_set: WorkingSet[InvoiceDocument], number: str | None = None, amount: str = "100.00") -> InvoiceDocument:
    record = make_invoice(incomeentries=[{"amount": amount, "income_accno": "3400"}], taxentries=None)
    if number is not None:
        record["invnumber"] = number
    document = read_invoice(record, working_set.count() + 1, InputRules())
    working_set.add(document, record)
    return document


def held(document: InvoiceDocument) -> DocumentResult:
    return DocumentResult(document.position, document.number, Outcome.HELD, ("not sent: why",))


def test_documents_come_back_as_they_were_in_the_order_of_the_input(working_set: WorkingSet[InvoiceDocument]) -> None:
    documents = [add(working_set) for _ in range(450)]
    assert list(working_set.pending()) == documents
    assert [record.document for record in working_set.decided()] == documents
    assert working_set.document(documents[300].key) == documents[300]
    assert working_set.count() == 450


def test_as_many_documents_stay_objects_as_may() -> None:
    with WorkingSet[InvoiceDocument](live=2) as opened:
        documents = [add(opened) for _ in range(4)]
        same = [read is document for read, document in zip(opened.pending(), documents, strict=True)]
    assert same == [True, True, False, False]


def test_decisions_may_be_written_while_documents_are_read(working_set: WorkingSet[InvoiceDocument]) -> None:
    documents = [add(working_set) for _ in range(450)]
    for document in working_set.pending():
        if document.position % 2:
            working_set.decide_to_send(document)
        else:
            working_set.record_result(held(document))
    assert list(working_set.pending()) == []
    assert list(working_set.to_send()) == documents[::2]


def test_what_is_decided_is_pending_no_longer(working_set: WorkingSet[InvoiceDocument]) -> None:
    first, second = add(working_set), add(working_set)
    working_set.record_result(held(first))
    working_set.decide_to_send(second)
    assert [working_set.document(document.key) for document in (first, second)] == [None, None]
    working_set.record_result(held(second))
    assert list(working_set.to_send()) == []


def test_another_document_may_be_sent_in_place_of_the_one_meant(working_set: WorkingSet[InvoiceDocument]) -> None:
    documents = [add(working_set), add(working_set)]
    others = [replace(document, invoice=document.invoice | {"notes": "other"}) for document in documents]
    for other in others:
        working_set.decide_to_send(other, changed=True)
    assert list(working_set.to_send()) == others


def test_numbers_are_compared_in_their_normal_form(working_set: WorkingSet[InvoiceDocument]) -> None:
    add(working_set, "RG-1")
    add(working_set)
    add(working_set, "rg-1")
    assert list(working_set.repeated()) == [("RG-1", [1, 3])]
    assert working_set.carries("rg-1")
    assert not working_set.carries("RG-1")


def test_records_without_a_number_repeat_nothing(working_set: WorkingSet[InvoiceDocument]) -> None:
    for position in (1, 2):
        working_set.add_result(DocumentResult(position, "", Outcome.INVALID), {"n": position})
    assert list(working_set.repeated()) == []


def test_results_come_back_with_their_records(working_set: WorkingSet[InvoiceDocument]) -> None:
    result = DocumentResult(
        1, "R-1", Outcome.CONFLICT, ("why",), "Nein", "77", Decimal("1.00"), Decimal("1.08"), "EUR", ("net",)
    )
    working_set.add_result(result, {"invnumber": "R-1", "amount": Decimal("1.00")})
    assert list(working_set.results()) == [(result, {"invnumber": "R-1", "amount": "1.00"})]


def test_a_record_without_a_decision_is_held(working_set: WorkingSet[InvoiceDocument]) -> None:
    add(working_set)
    ((result, _),) = working_set.results()
    assert (result.outcome, result.reasons) == ("held", ("the run ended before this record was decided",))


def test_what_is_to_be_sent_is_measured_without_sign(working_set: WorkingSet[InvoiceDocument]) -> None:
    for amount in ("100.00", "-40.50"):
        working_set.decide_to_send(add(working_set, amount=amount))
    dropped = add(working_set, amount="7.00")
    working_set.decide_to_send(dropped)
    working_set.record_result(held(dropped))
    add(working_set, amount="9.00")
    assert working_set.measure() == (2, Decimal("140.50"))


def test_decisions_are_counted(working_set: WorkingSet[InvoiceDocument]) -> None:
    working_set.decide_to_send(add(working_set))
    working_set.record_result(held(add(working_set)))
    assert working_set.count_decisions() == {"create": 1, "held": 1}


def test_what_the_books_hold_comes_back_in_the_order_of_reading(working_set: WorkingSet[InvoiceDocument]) -> None:
    document = add(working_set)
    found = [
        Comparison[InvoiceDocument](BookedInvoice(document.number.lower(), str(number), Decimal("1.00")), ("no",))
        for number in range(2)
    ]
    for comparison in found:
        working_set.add_booked(comparison)
    assert working_set.booked(document.key) == found
    assert working_set.booked("other") == []


def test_effects_on_customers_are_those_of_documents_that_are_sent(working_set: WorkingSet[InvoiceDocument]) -> None:
    first, second = add(working_set), add(working_set)
    for document in (first, second):
        working_set.decide_to_send(document)
        working_set.note_customer_effect(document.position, {"customernumber": document.number})
    working_set.record_result(held(second))
    assert list(working_set.customer_effects()) == [{"customernumber": first.number}]


def test_what_a_plan_said_is_known_of_each_record(working_set: WorkingSet[InvoiceDocument]) -> None:
    add(working_set)
    assert working_set.planned(1) is None
    record = make_invoice()
    working_set.add(read_invoice(record, 2, InputRules()), record, planned=PlannedDecision("create"))
    assert [working_set.planned(position) for position in (1, 2)] == [None, PlannedDecision("create")]
