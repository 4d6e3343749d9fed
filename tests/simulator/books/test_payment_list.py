"""The payment list remembers what each token has seen, over any order of steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.demo_company import build_master

INVOICE: dict[str, Any] = {
    "invnumber": "R-1",
    "customernumber": "K-001",
    "transdate": "2026-01-05",
    "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
    "taxentries": [],
}


def payment(amount: str) -> dict[str, str]:
    return {"amount": amount, "datepaid": "2026-01-10", "payment_accno": "1030"}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.sampled_from(["10.00", "20.00"])),
        st.tuples(st.just("change"), st.sampled_from(["30.00", "40.00"])),
        st.tuples(st.just("delete"), st.just("")),
        st.tuples(st.just("read"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("mark"), st.sampled_from(["a", "b"])),
    ),
    max_size=14,
)


class Consumer:
    """Takes what is new or mutated and drops what is deleted, as one token sees it."""

    def __init__(self, books: Books, token: str) -> None:
        self._books, self._token = books, token
        self.held: dict[int, str] = {}
        self.listed: list[int] = []

    def read(self) -> None:
        payments = self._books.payment_list.read(self._token, None)
        self.listed = [each["id"] for each in payments]
        for each in payments:
            known = self.held.pop(each["id"], None)
            if each["flag"] != "DELETED":
                assert (each["flag"] == "EVEN") == (known == str(each["amount"]))
                assert (each["flag"] == "NEW") == (known is None)
                self.held[each["id"]] = str(each["amount"])

    def mark(self) -> None:
        self._books.payment_list.mark(self._token, self.listed)


def edit(books: Books, number: int, step: str, value: str) -> None:
    given = books.document(number)["payments"]
    if step == "pay":
        books.pay(number, payment(value))
    elif step == "change" and given:
        books.resave(number, INVOICE | {"payments": [payment(value), *given[1:]]})
    elif step == "delete" and given:
        books.resave(number, INVOICE | {"payments": given[:-1]})


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_a_consumer_that_keys_on_ids_ends_with_the_payments_of_the_books(steps: list[tuple[str, str]]) -> None:
    books = Books.create(":memory:", build_master())
    number = books.post_invoice(INVOICE)
    consumers = {token: Consumer(books, token) for token in ("a", "b")}
    for step, value in steps:
        if step in ("read", "mark"):
            getattr(consumers[value], step)()
        else:
            edit(books, number, step, value)
    real = {each["id"]: str(each["amount"]) for each in books.document(number)["payments"]}
    for token, consumer in consumers.items():
        consumer.read()
        assert consumer.held == real
        consumer.mark()
        assert books.payment_list.read(token, None) == []
    books.close()


def test_only_payments_entered_since_then_are_listed() -> None:
    books = Books.create(":memory:", build_master())
    number = books.post_invoice(INVOICE)
    moment = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
    for hours in (0, 5):
        books.set_clock(lambda hours=hours: moment + timedelta(hours=hours))
        books.pay(number, payment(f"{hours + 1}.00"))
    assert [str(each["amount"]) for each in books.payment_list.read("a", moment + timedelta(hours=1))] == ["6.00"]
    assert [str(each["amount"]) for each in books.payment_list.read("a", moment)] == ["1.00", "6.00"]
    books.close()
