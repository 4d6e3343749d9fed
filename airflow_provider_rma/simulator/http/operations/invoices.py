"""Invoices: list, one by number, create."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.books.rules import check_invoice
from airflow_provider_rma.simulator.http.invoice_files import FORM_NAMES, FilePage, write_html, write_pdf
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.operations.customers import check_language, read_customer, render_customer
from airflow_provider_rma.simulator.http.parse import (
    read_boolean,
    read_day,
    read_entity,
    read_instant,
    read_number_field,
    read_text,
    read_texts,
)
from airflow_provider_rma.simulator.http.responses import ResponseError, Result, WireEntity, WireFile
from airflow_provider_rma.simulator.http.serialise import (
    Values,
    render_boolean,
    render_day,
    render_day_or_instant,
    render_double,
    render_text,
)
from airflow_provider_rma.simulator.http.wire import Listing, Mapped, Tree, items_inside

_STATUSES = ("OPEN", "PAID", "OVERDUE")

#: Text fields of an invoice and of its lines, with their limit in characters.
_TEXTS: dict[str, int | None] = {
    "invnumber": None,
    "ordnumber": None,
    "currency": 3,
    "ar_accno": None,
    "payment_accno": None,
    "description": None,
    "notes": None,
    "intnotes": None,
    "dcn": None,
    "language_code": 6,
    "department": None,
    "customernumber": 32,
}
_LINE_TEXTS: dict[str, int | None] = {
    "partnumber": None,
    "description": None,
    "unit": 5,
    "itemnote": None,
    "serialnumber": None,
    "projectnumber": None,
}
_HEADER_TEXTS = ("description", "notes", "intnotes")


def list_invoices(books: Books, request: ApiRequest) -> Result:
    """List invoices by date (from the close date to today unless told otherwise), status and customer."""
    status = request.query.get("status") or None
    if status is not None and status not in _STATUSES:
        raise RefusalError(f"Der Status '{status}' ist nicht bekannt (status).", "status")
    closed = books.tenant.get("closedto")
    found = books.invoices(
        from_date=request.day("from", date.fromisoformat(closed) if closed else None),
        to_date=request.day("to", request.settings.day),
        status=status,
        customernumber=request.query.get("customer_number") or None,
        today=request.settings.day.isoformat(),
    )
    trees = (render_invoice(invoice, books.customer(invoice["customernumber"])) for invoice in found)
    return Listing("invoice", trees, root="invoices")


def get_invoice(books: Books, request: ApiRequest) -> Result:
    """Return an invoice by exact number; of several with that number the first that was posted."""
    number = request.params["number"]
    ids = books.find_invoices(number)
    if not ids:
        raise ResponseError(404, f"Die Rechnung '{number}' wurde nicht gefunden.")
    document = books.document(ids[0], today=request.settings.day)
    return WireEntity("invoice", render_invoice(document, books.customer(document["customernumber"])))


def create_invoice(books: Books, request: ApiRequest) -> Result:
    """Post an invoice; the customer inside is created or overwritten once the invoice is found acceptable."""
    document = read_invoice(request.content, books.languages())
    check_invoice(books, document)
    number = document["invnumber"]
    if request.settings.duplicates == "refuse" and books.find_invoices(number):
        raise RefusalError(f"Eine Rechnung mit der Nummer '{number}' existiert bereits.", "invnumber")
    customer = document.pop("customer", None)
    with books.in_one_transaction():
        if customer is not None:
            books.save_customer(customer)
        books.post_invoice(document)
    return None


def read_invoice(content: Mapped, languages: list[str]) -> dict[str, Any]:
    """Read an invoice to create. A full customer is kept as ``customer`` and wins over a number."""
    given = read_entity(content, "invoice")
    values: dict[str, Any] = read_texts(given, _TEXTS, "invoice")
    check_language(values["language_code"], languages)
    read_days(given, values)
    values["currency"] = values["currency"] or "CHF"
    values["taxincluded"] = read_boolean(read_text(given, "taxincluded", "invoice"), "taxincluded", default=False)
    if given.get("customer"):
        values["customer"] = read_customer(given["customer"], languages)
        values["customernumber"] = values["customer"]["customernumber"]
    if not values["customernumber"]:
        raise RefusalError("Der Kunde fehlt: customer oder customernumber muss angegeben werden.", "customernumber")
    read_positions(given, values)
    return {name: value for name, value in values.items() if value != ""}


def read_days(given: dict[str, Mapped], values: dict[str, Any]) -> None:
    """Read the days of a document into its values."""
    transdate = read_text(given, "transdate", "invoice")
    if not transdate:
        raise RefusalError("Das Rechnungsdatum (transdate) fehlt.")
    values["transdate"] = read_day(transdate, "transdate").isoformat()
    duedate = read_text(given, "duedate", "invoice")
    values["duedate"] = read_day(duedate, "duedate").isoformat() if duedate else None


def read_positions(given: dict[str, Mapped], values: dict[str, Any], kind: str = "income") -> None:
    """Read the lines of a document, or its entries, into its values.

    :param kind: ``income`` or ``expense``: how entries and their accounts are called.
    """
    parts = items_inside(given, "parts", "part")
    entries = items_inside(given, f"{kind}entries", f"{kind}entry")
    taxes = items_inside(given, "taxentries", "taxentry")
    if parts:
        values["lines"] = [_read_line(part, f"{kind}_accno") for part in parts]
        if not entries and not taxes:
            return
    values[f"{kind}entries"] = [_read_entry(entry, kind) for entry in entries]
    values["taxentries"] = [
        {
            "amount": read_number_field(entry, "amount", "taxentry"),
            "tax_accno": read_text(entry, "tax_accno", "taxentry"),
        }
        for entry in taxes
    ]


def _read_entry(entry: dict[str, Mapped], kind: str) -> dict[str, Any]:
    names = (f"{kind}_accno", "description", *(("projectNumber",) if kind == "expense" else ()))
    texts = {name: read_text(entry, name, f"{kind}entry") for name in names}
    return {"amount": read_number_field(entry, "amount", f"{kind}entry"), **texts}


def _read_line(given: dict[str, Mapped], account: str) -> dict[str, Any]:
    values: dict[str, Any] = read_texts(given, {**_LINE_TEXTS, account: None}, "part")
    if values[account] == "0":
        values[account] = ""
    values["quantity"] = read_number_field(given, "quantity", "part", default="1")
    values["sellprice"] = read_number_field(given, "sellprice", "part", default="")
    values["discount_percent"] = read_number_field(given, "discount", "part", default="0")
    price_update = read_text(given, "price_update", "part")
    if price_update:
        values["price_update"] = read_instant(price_update, "price_update")
    return {name: value for name, value in values.items() if value != ""}


def get_invoice_file(books: Books, request: ApiRequest, write: Callable[[FilePage], WireFile]) -> Result:
    """Return an invoice as a document for people, in one of the known templates."""
    number = request.params["number"]
    ids = books.find_invoices(number)
    if not ids:
        raise ResponseError(404, f"Die Rechnung '{number}' wurde nicht gefunden.")
    form = request.query.get("formname") or FORM_NAMES[0]
    if form not in FORM_NAMES:
        raise RefusalError(f"Die Vorlage '{form}' ist nicht vorhanden (formname).", "formname")
    check_language(request.query.get("language_code") or "", books.languages())
    document = books.document(ids[0], today=request.settings.day)
    customer = books.customer(document["customernumber"]) or {}
    return write(FilePage(form, books.tenant["company"], document, customer))


def render_invoice(invoice: Values, customer: Values | None) -> Tree:
    """Render an invoice with its customer and its lines (article method) or entries (booking method)."""
    tree: Tree = {
        "id": str(invoice["id"]),
        "invnumber": invoice["invnumber"],
        "ordnumber": render_text(invoice, "ordnumber"),
        "status": invoice["status"],
        "currency": invoice["currency"],
        "ar_accno": render_text(invoice, "ar_accno"),
        "payment_accno": render_text(invoice, "payment_accno"),
        "transdate": render_day(invoice["transdate"]),
        "duedate": render_day(invoice["duedate"]) if invoice.get("duedate") else None,
        **{name: render_text(invoice, name) for name in _HEADER_TEXTS},
        "taxincluded": render_boolean(invoice["taxincluded"]),
        "department": render_text(invoice, "department") or None,
        "dcn": render_text(invoice, "dcn"),
        "language_code": render_text(invoice, "language_code"),
        "amount": render_double(invoice["amount"]),
        "netamount": render_double(invoice["netamount"]),
        "paid": render_double(invoice["paid"]),
        "customer": render_customer(customer) if customer else None,
    }
    if invoice["article"]:
        tree["parts"] = Listing("part", [render_line(line, invoice["transdate"]) for line in invoice["lines"]])
    else:
        tree["incomeentries"] = Listing("incomeentry", map(_render_income_entry, invoice.get("incomeentries") or []))
        tree["taxentries"] = Listing("taxentry", map(render_tax_entry, invoice.get("taxentries") or []))
    return tree


def _render_income_entry(entry: Values) -> Tree:
    return {
        "amount": render_double(entry["amount"]),
        "income_accno": entry["income_accno"],
        "description": render_text(entry, "description"),
    }


def render_tax_entry(entry: Values) -> Tree:
    """Render a tax amount."""
    return {"amount": render_double(entry["amount"]), "tax_accno": entry["tax_accno"]}


def render_line(line: Values, transdate: str) -> Tree:
    """Render a line: the price as it was entered, the account as it was posted.

    ``price_update`` is never empty (seen in clients); without one of its own it is the document's day.

    :param transdate: day of the document.
    """
    return {
        "income_accno": render_text(line, "income_accno") or "0",
        "expense_accno": render_text(line, "expense_accno") or "0",
        "partnumber": line["partnumber"],
        "description": render_text(line, "description"),
        "unit": render_text(line, "unit"),
        "quantity": render_double(line["quantity"]),
        "sellprice": render_double(line["sellprice"]),
        "discount": render_double(line.get("discount_percent") or 0),
        "itemnote": render_text(line, "itemnote"),
        "serialnumber": render_text(line, "serialnumber") or None,
        "projectnumber": render_text(line, "projectnumber") or None,
        "price_update": render_day_or_instant(line.get("price_update") or transdate),
    }


OPERATIONS = (
    Operation("GET", ("invoices",), "read_invoices", list_invoices),
    Operation("POST", ("invoices",), "create_invoice", create_invoice, body_root="invoice"),
    Operation("GET", ("invoices", "{number}"), "read_invoice", get_invoice),
    Operation(
        "GET",
        ("invoices", "{number}", "pdf"),
        "read_invoice_pdf",
        partial(get_invoice_file, write=write_pdf),
        media_type="application/pdf",
    ),
    Operation(
        "GET",
        ("invoices", "{number}", "html"),
        "read_invoice_html",
        partial(get_invoice_file, write=write_html),
        media_type="text/html",
    ),
)
