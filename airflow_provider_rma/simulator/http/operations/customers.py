"""Customers: list, one by number, create or overwrite."""

from __future__ import annotations

from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.operations.master_data import render_account_stub
from airflow_provider_rma.simulator.http.parse import (
    read_boolean,
    read_day,
    read_entity,
    read_text,
    read_texts,
    read_whole_number,
)
from airflow_provider_rma.simulator.http.responses import ResponseError, Result, WireEntity
from airflow_provider_rma.simulator.http.serialise import (
    Values,
    render_boolean,
    render_day_or_instant,
)
from airflow_provider_rma.simulator.http.wire import Listing, Mapped, Tree

#: Text fields of a customer with their limit in characters.
_TEXTS: dict[str, int | None] = {
    "customernumber": 32,
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
    "cc": None,
    "bcc": None,
    "notes": None,
    "taxnumber": 32,
    "arap_accno": 32,
    "payment_accno": 32,
    "bank_name": 64,
    "bank_address1": 32,
    "bank_address2": 32,
    "bank_zipcode": 10,
    "bank_city": 32,
    "bank_state": 32,
    "bank_country": 32,
    "bank_iban": 34,
    "bank_bic": 11,
    "language_code": 6,
    "typeofcontact": None,
    "gender": None,
}

#: Elements of a customer in documented order.
_ORDER = (
    "customernumber", "name", "created", "ended", "contactId", "salutation", "firstname", "lastname",
    "typeofcontact", "gender", "addressId", "address1", "address2", "zipcode", "city", "state", "country", "phone",
    "fax", "mobile", "email", "cc", "bcc", "terms", "notes", "taxnumber", "taxfree", "remittancevoucher",
    "arap_accno", "payment_accno", "bank_name", "bank_address1", "bank_address2", "bank_zipcode", "bank_city",
    "bank_state", "bank_country", "bank_iban", "bank_bic", "language_code", "tax_accnos",
)  # fmt: skip


def list_customers(books: Books, _: ApiRequest) -> Result:
    """List all customers."""
    return Listing("customer", map(render_customer, books.customers()), root="customers")


def get_customer(books: Books, request: ApiRequest) -> Result:
    """Return a customer by exact number, or 404."""
    customer = books.customer(request.params["number"])
    if customer is None:
        raise ResponseError(404, f"Der Kunde '{request.params['number']}' wurde nicht gefunden.")
    return WireEntity("customer", render_customer(customer))


def save_customer(books: Books, request: ApiRequest) -> Result:
    """Create or overwrite a customer."""
    books.save_customer(read_customer(request.content, books.languages()))
    return None


def read_customer(content: Mapped, languages: list[str]) -> dict[str, Any]:
    """Read a customer to create or overwrite: fields that were not sent are emptied."""
    given = read_entity(content, "customer")
    values: dict[str, Any] = read_texts(given, _TEXTS, "customer")
    for name in ("customernumber", "name"):
        if not values[name]:
            raise RefusalError(f"Das Feld '{name}' des Kunden fehlt.")
    check_language(values["language_code"], languages)
    accounts = read_text(given, "tax_accnos", "customer")
    if accounts:
        values["tax_accnos"] = accounts.split()
    terms = read_text(given, "terms", "customer")
    if terms:
        values["terms"] = read_whole_number(terms, "terms")
    for name in ("taxfree", "remittancevoucher"):
        values[name] = read_boolean(read_text(given, name, "customer"), name, default=False)
    for name in ("created", "ended"):
        text = read_text(given, name, "customer")
        if text:
            values[name] = read_day(text, name).isoformat()
    return {name: value for name, value in values.items() if value != ""}


def check_language(code: str, languages: list[str]) -> None:
    """Refuse a language that the tenant has not set up."""
    if code and code not in languages:
        raise RefusalError(f"Die Sprache '{code}' ist unbekannt und muss zuerst eingerichtet werden.")


def render_customer(customer: Values) -> Tree:
    """Render a customer; ids of contact and address are always 0, as in the documented samples. The two accounts come
    as stubs as well (seen in clients)."""
    tree: Tree = {"id": str(customer["id"])}
    for name in _ORDER:
        tree[name] = _render_value(name, customer.get(name))
    tree["chart"] = render_account_stub(customer["arap_accno"])
    tree["paymentChart"] = render_account_stub(customer["payment_accno"])
    return tree


def _render_value(name: str, value: Any) -> str | None:
    if name in ("contactId", "addressId"):
        return "0"
    if name in ("created", "ended"):
        return render_day_or_instant(value) if value else None
    if name in ("taxfree", "remittancevoucher"):
        return render_boolean(value)
    if name == "tax_accnos":
        return " ".join(value or [])
    if name == "terms":
        return None if value is None else str(value)
    return str(value or "")


OPERATIONS = (
    Operation("GET", ("customers",), "read_customers", list_customers),
    Operation("POST", ("customers",), "save_customer", save_customer, body_root="customer"),
    Operation("GET", ("customers", "{number}"), "read_customer", get_customer),
)
