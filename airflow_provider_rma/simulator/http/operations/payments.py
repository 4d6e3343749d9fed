"""Payments of invoices and of vendor invoices, the payment list and its marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.days import ZURICH
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.books.rules import check_payment
from airflow_provider_rma.simulator.http.forms import FORM
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.parse import read_day, read_entity, read_number_field, read_text, read_texts
from airflow_provider_rma.simulator.http.responses import ResponseError, Result, WireEntity
from airflow_provider_rma.simulator.http.serialise import Values, render_day, render_double
from airflow_provider_rma.simulator.http.wire import Listing, Mapped, Tree

_TEXTS: dict[str, int | None] = {"payment_accno": None, "source": None, "memo": None, "currency": 3}
_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)
_ID = re.compile(r"\d{1,18}", re.ASCII)


def pay_invoice(books: Books, request: ApiRequest) -> Result:
    """Post a payment of an invoice, by exact number; of several with that number the first that was posted is paid."""
    number = request.params["number"]
    ids = books.find_invoices(number)
    payment = _pay(books, request, ids, f"Die Rechnung '{number}' wurde nicht gefunden.", "AR_paid")
    return WireEntity("payment", {**render_payment(payment), "flag": "NEW"})


def pay_purchase(books: Books, request: ApiRequest) -> Result:
    """Post a payment of a vendor invoice, by exact number; of several vendors with that number the first is paid."""
    number = request.params["number"]
    ids = books.find_documents(number, "ap")
    payment = _pay(books, request, ids, f"Die Lieferantenrechnung '{number}' wurde nicht gefunden.", "AP_paid")
    tree = render_payment(payment)
    tree.pop("invnumber")
    return WireEntity("payment", tree)


def list_payments(books: Books, request: ApiRequest) -> Result:
    """List the payments of invoices that the key has not marked as processed; without ``processed`` all of them."""
    payments = books.payment_list.read(request.token, _read_minute(request.query.get("processed") or ""))
    trees: list[Tree] = [{**render_payment(payment), "flag": payment["flag"]} for payment in payments]
    return Listing("payment", trees, root="payments")


def set_as_processed(books: Books, request: ApiRequest) -> Result:
    """Mark payments as processed for the key; unknown ids are ignored."""
    texts = [value for name, value in request.form if name == "id"]
    wrong = [text for text in texts if not _ID.fullmatch(text)]
    if wrong or not texts:
        raise RefusalError(f"'{wrong[0]}' ist keine gültige id." if wrong else "Die id fehlt.", "id")
    books.payment_list.mark(request.token, map(int, texts))
    return None


def _pay(books: Books, request: ApiRequest, ids: Sequence[int], missing: str, link: str) -> dict[str, Any]:
    if not ids:
        raise ResponseError(404, missing)
    document = books.document(ids[0], today=request.settings.day)
    payment = read_payment(request.content, document["currency"], books.tenant["default_currency"])
    check_payment(books, payment, link=link)
    return books.pay(ids[0], payment)


def read_payment(content: Mapped, currency: str, default_currency: str) -> dict[str, Any]:
    """Read a payment to post.

    :param currency: of the document.
    :param default_currency: of the books; for another one the rate is 1 unless it is given (documented).
    """
    given = read_entity(content, "payment")
    values: dict[str, Any] = read_texts(given, _TEXTS, "payment")
    day = read_text(given, "datepaid", "payment")
    if not day:
        raise RefusalError("Das Zahlungsdatum (datepaid) fehlt.", "datepaid")
    values["datepaid"] = read_day(day, "datepaid").isoformat()
    values["amount"] = read_number_field(given, "amount_paid", "payment")
    if not Decimal(values["amount"]):
        raise RefusalError("Der Betrag der Zahlung ist null (amount_paid).", "amount_paid")
    if values.pop("currency") not in ("", currency):
        raise RefusalError(f"Die Währung der Rechnung ist {currency} (currency).", "currency")
    values["exchangerate"] = read_number_field(given, "exchangerate", "payment", default="1.0")
    if Decimal(values["exchangerate"]) <= 0:
        raise RefusalError("Der Kurs muss grösser als null sein (exchangerate).", "exchangerate")
    if currency == default_currency:
        values["exchangerate"] = ""
    return {name: value for name, value in values.items() if value != ""}


def _read_minute(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text if _MINUTE.fullmatch(text) else "").replace(tzinfo=ZURICH)
    except ValueError as error:
        raise RefusalError(f"'{text}' ist kein gültiger Zeitpunkt (processed).", "processed") from error


def render_payment(payment: Values) -> Tree:
    """Render a payment without its flag."""
    return {
        "id": str(payment["id"]),
        "invnumber": payment["invnumber"],
        "datepaid": render_day(payment["datepaid"]),
        "amount_paid": render_double(payment["amount"]),
        "source": payment["source"],
        "memo": payment["memo"],
        "payment_accno": payment["payment_accno"],
        "currency": payment["currency"],
        "exchangerate": render_double(payment["exchangerate"]),
    }


OPERATIONS = (
    Operation("POST", ("invoices", "{number}", "payments"), "create_payment", pay_invoice, body_root="payment"),
    Operation("GET", ("invoices", "payment_list"), "read_payment_list", list_payments, is_stateful=True),
    Operation("POST", ("invoices", "set_as_processed"), "mark_payments", set_as_processed, form=FORM),
    Operation("POST", ("payables", "{number}", "payments"), "create_payment", pay_purchase, body_root="payment"),
)
