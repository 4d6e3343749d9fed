"""Vendors and vendor invoices: list, one by number, create."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.books.rules import check_purchase
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.operations.invoices import (
    read_days,
    read_positions,
    render_line,
    render_tax_entry,
)
from airflow_provider_rma.simulator.http.parse import (
    read_boolean,
    read_entity,
    read_text,
    read_texts,
    read_whole_number,
)
from airflow_provider_rma.simulator.http.responses import ResponseError, Result, WireEntity
from airflow_provider_rma.simulator.http.serialise import (
    Values,
    render_boolean,
    render_day,
    render_day_or_instant,
    render_double,
    render_text,
)
from airflow_provider_rma.simulator.http.wire import Listing, Mapped, Tree

#: Text fields of a vendor with their limit in characters, in documented order.
_VENDOR_TEXTS: dict[str, int | None] = {
    "vendornumber": 32,
    "name": 64,
    "salutation": 32,
    "firstname": 32,
    "lastname": 32,
    "address1": 32,
    "address2": 32,
    "zipcode": 10,
    "city": 32,
    "state": 32,
    "country": 32,
    "phone": 20,
    "fax": 20,
    "mobile": 20,
    "email": None,
    "taxnumber": 32,
    "arap_accno": 32,
    "payment_accno": 32,
    "bank_name": 64,
    "bank_address1": 32,
    "bank_address2": 32,
    "bank_zipcode": 10,
    "bank_city": 32,
    "bank_country": 32,
    "bank_iban": 34,
    "bank_bic": 11,
}
_TEXTS: dict[str, int | None] = {
    "invnumber": None,
    "ordnumber": None,
    "currency": 3,
    "ap_accno": None,
    "description": None,
    "notes": None,
    "intnotes": None,
    "dcn": None,
    "department": None,
}


def list_vendors(books: Books, _: ApiRequest) -> Result:
    """List all vendors."""
    return Listing("vendor", map(render_vendor, books.vendors()), root="vendors")


def get_vendor(books: Books, request: ApiRequest) -> Result:
    """Return a vendor by exact number, or 404."""
    vendor = books.vendor(request.params["number"])
    if vendor is None:
        raise ResponseError(404, f"Der Lieferant '{request.params['number']}' wurde nicht gefunden.")
    return WireEntity("vendor", render_vendor(vendor))


def save_vendor(books: Books, request: ApiRequest) -> Result:
    """Create or overwrite a vendor, and return it with its id."""
    values = read_vendor(request.content)
    _save(books, values)
    return WireEntity("vendor", render_vendor(books.vendor(values["vendornumber"]) or {}))


def list_purchases(books: Books, request: ApiRequest) -> Result:
    """List vendor invoices by date (from the close date to today unless told otherwise)."""
    closed = books.tenant.get("closedto")
    found = books.purchases(
        from_date=request.day("from", date.fromisoformat(closed) if closed else None),
        to_date=request.day("to", request.settings.day),
        today=request.settings.day.isoformat(),
    )
    trees = (render_purchase(purchase, books.vendor(purchase["vendornumber"])) for purchase in found)
    return Listing("payable", trees, root="payables")


def get_purchase(books: Books, request: ApiRequest) -> Result:
    """Return a vendor invoice by exact number; of several with that number the first that was posted."""
    number = request.params["number"]
    ids = books.find_documents(number, "ap")
    if not ids:
        raise ResponseError(404, f"Die Lieferantenrechnung '{number}' wurde nicht gefunden.")
    document = books.document(ids[0], today=request.settings.day)
    return WireEntity("payable", render_purchase(document, books.vendor(document["vendornumber"])))


def create_purchase(books: Books, request: ApiRequest) -> Result:
    """Post a vendor invoice; its vendor is created or overwritten once the invoice is found acceptable."""
    document = read_purchase(request.content)
    check_purchase(books, document)
    number, vendor = document["invnumber"], document.pop("vendor")
    same = (books.document(found)["vendornumber"] for found in books.find_documents(number, "ap"))
    if request.settings.duplicates == "refuse" and vendor["vendornumber"] in same:
        raise RefusalError(
            f"Eine Rechnung dieses Lieferanten mit der Nummer '{number}' existiert bereits.", "invnumber"
        )
    with books.in_one_transaction():
        _save(books, vendor)
        books.post_purchase(document)
    return None


def _save(books: Books, values: dict[str, Any]) -> None:
    """Save a vendor. What the interface has no fields for stays: its taxes and its currency."""
    known = books.vendor(values["vendornumber"])
    kept = {"tax_accnos": known["tax_accnos"], "currency": known["curr"]} if known else {}
    books.save_vendor({**values, **kept})


def read_vendor(content: Mapped) -> dict[str, Any]:
    """Read a vendor to create or overwrite: fields that were not sent are emptied."""
    given = read_entity(content, "vendor")
    values: dict[str, Any] = read_texts(given, _VENDOR_TEXTS, "vendor")
    for name in ("vendornumber", "name"):
        if not values[name]:
            raise RefusalError(f"Das Feld '{name}' des Lieferanten fehlt.", name)
    terms = read_text(given, "terms", "vendor")
    if terms:
        values["terms"] = read_whole_number(terms, "terms")
    return {name: value for name, value in values.items() if value != ""}


def read_purchase(content: Mapped) -> dict[str, Any]:
    """Read a vendor invoice to create, with its ``vendor``."""
    given = read_entity(content, "payable")
    values: dict[str, Any] = read_texts(given, _TEXTS, "payable")
    values["payment_accno"] = read_text(given, "paymentAccno", "payable")
    read_days(given, values)
    values["currency"] = values["currency"] or "CHF"
    values["taxincluded"] = read_boolean(read_text(given, "taxincluded", "payable"), "taxincluded", default=False)
    if not given.get("vendor"):
        raise RefusalError("Der Lieferant fehlt (vendor).", "vendor")
    values["vendor"] = read_vendor(given["vendor"])
    values["vendornumber"] = values["vendor"]["vendornumber"]
    read_positions(given, values, "expense")
    return {name: value for name, value in values.items() if value != ""}


def render_vendor(vendor: Values) -> Tree:
    """Render a vendor; ``created`` is never empty (seen in clients)."""
    tree: Tree = {"id": str(vendor["id"])}
    for name in _VENDOR_TEXTS:
        tree[name] = render_text(vendor, name)
        if name == "name":
            tree["created"] = render_day_or_instant(vendor["created"])
        if name == "lastname":
            tree["terms"] = None if vendor.get("terms") is None else str(vendor["terms"])
    return tree


def render_purchase(purchase: Values, vendor: Values | None) -> Tree:
    """Render a vendor invoice with its vendor and its lines (article method) or entries (booking method)."""
    tree: Tree = {
        "id": str(purchase["id"]),
        "invnumber": purchase["invnumber"],
        "ordnumber": render_text(purchase, "ordnumber"),
        "status": purchase["status"],
        "currency": purchase["currency"],
        "ap_accno": render_text(purchase, "ap_accno"),
        "transdate": render_day(purchase["transdate"]),
        "duedate": render_day(purchase["duedate"]) if purchase.get("duedate") else None,
        "description": render_text(purchase, "description"),
        "notes": render_text(purchase, "notes"),
        "intnotes": render_text(purchase, "intnotes"),
        "taxincluded": render_boolean(purchase["taxincluded"]),
        "department": render_text(purchase, "department") or None,
        "dcn": render_text(purchase, "dcn"),
        "amount": render_double(purchase["amount"]),
        "netamount": render_double(purchase["netamount"]),
        "paid": render_double(purchase["paid"]),
        "paymentAccno": render_text(purchase, "payment_accno") or render_text(vendor or {}, "payment_accno"),
        "vendor": render_vendor(vendor) if vendor else None,
    }
    if purchase["article"]:
        lines = [render_line(line, purchase["transdate"]) for line in purchase["lines"]]
        tree["parts"] = Listing("part", lines)
    else:
        tree["expenseentries"] = Listing("expenseentry", map(_render_entry, purchase["expenseentries"]))
        tree["taxentries"] = Listing("taxentry", map(render_tax_entry, purchase["taxentries"]))
    return tree


def _render_entry(entry: Values) -> Tree:
    """Render an entry; its project only if it has one (seen in clients)."""
    return {
        "amount": render_double(entry["amount"]),
        "expense_accno": entry["expense_accno"],
        "description": render_text(entry, "description"),
        "projectNumber": render_text(entry, "projectNumber") or None,
    }


OPERATIONS = (
    Operation("GET", ("vendors",), "read_vendors", list_vendors),
    Operation("POST", ("vendors",), "save_vendor", save_vendor, body_root="vendor"),
    Operation("GET", ("vendors", "{number}"), "read_vendor", get_vendor),
    Operation("GET", ("payables",), "read_payables", list_purchases),
    Operation("POST", ("payables",), "create_payable", create_purchase, body_root="payable"),
    Operation("GET", ("payables", "{number}"), "read_payable", get_purchase),
)
