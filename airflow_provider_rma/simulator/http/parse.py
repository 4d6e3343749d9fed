"""From the wire to the books: customers and invoices as they are posted, with the documented limits.

Unknown elements are tolerated, ``status`` and ids are ignored, an empty text stands for "not given".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.http.wire import Mapped, items_inside
from airflow_provider_rma.simulator.values import read_boolean, read_day, read_number

CUSTOMER_TEXTS: dict[str, int | None] = {
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
"""Text fields of a customer in the order they are written, with their limit in characters."""

_INVOICE_TEXTS: dict[str, int | None] = {
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
    "income_accno": None,
}


def read_customer(content: Mapped, languages: list[str]) -> dict[str, Any]:
    """A customer to create or overwrite: fields that were not sent are emptied."""
    given = _entity(content, "customer")
    values: dict[str, Any] = _texts(given, CUSTOMER_TEXTS, "customer")
    for name in ("customernumber", "name"):
        if not values[name]:
            raise RefusalError(f"Das Feld '{name}' des Kunden fehlt.")
    _check_language(values["language_code"], languages)
    accounts = _text(given, "tax_accnos", "customer")
    if accounts:
        values["tax_accnos"] = accounts.split()
    terms = _text(given, "terms", "customer")
    if terms:
        values["terms"] = _whole(terms, "terms")
    for name in ("taxfree", "remittancevoucher"):
        values[name] = read_boolean(_text(given, name, "customer"), name, default=False)
    for name in ("created", "ended"):
        text = _text(given, name, "customer")
        if text:
            values[name] = read_day(text, name).isoformat()
    return {name: value for name, value in values.items() if value != ""}


def read_invoice(content: Mapped, languages: list[str]) -> dict[str, Any]:
    """An invoice to create, with the full customer as ``customer`` if it holds one (it wins over a number)."""
    given = _entity(content, "invoice")
    values: dict[str, Any] = _texts(given, _INVOICE_TEXTS, "invoice")
    _check_language(values["language_code"], languages)
    _read_days(given, values)
    values["currency"] = values["currency"] or "CHF"
    values["taxincluded"] = read_boolean(_text(given, "taxincluded", "invoice"), "taxincluded", default=False)
    if given.get("customer"):
        values["customer"] = read_customer(given["customer"], languages)
        values["customernumber"] = values["customer"]["customernumber"]
    if not values["customernumber"]:
        raise RefusalError("Der Kunde fehlt: customer oder customernumber muss angegeben werden.", "customernumber")
    _read_positions(given, values)
    return {name: value for name, value in values.items() if value != ""}


def _read_days(given: dict[str, Mapped], values: dict[str, Any]) -> None:
    transdate = _text(given, "transdate", "invoice")
    if not transdate:
        raise RefusalError("Das Rechnungsdatum (transdate) fehlt.")
    values["transdate"] = read_day(transdate, "transdate").isoformat()
    duedate = _text(given, "duedate", "invoice")
    values["duedate"] = read_day(duedate, "duedate").isoformat() if duedate else None


def _read_positions(given: dict[str, Mapped], values: dict[str, Any]) -> None:
    parts = items_inside(given, "parts", "part")
    income = items_inside(given, "incomeentries", "incomeentry")
    taxes = items_inside(given, "taxentries", "taxentry")
    if parts:
        values["lines"] = [_line(one) for one in parts]
        if not income and not taxes:
            return
    values["incomeentries"] = [
        {
            "amount": _number(one, "amount", "incomeentry"),
            "income_accno": _text(one, "income_accno", "incomeentry"),
            "description": _text(one, "description", "incomeentry"),
        }
        for one in income
    ]
    values["taxentries"] = [
        {"amount": _number(one, "amount", "taxentry"), "tax_accno": _text(one, "tax_accno", "taxentry")}
        for one in taxes
    ]


def _line(given: dict[str, Mapped]) -> dict[str, Any]:
    values: dict[str, Any] = _texts(given, _LINE_TEXTS, "part")
    if values["income_accno"] == "0":
        values["income_accno"] = ""
    values["quantity"] = _number(given, "quantity", "part", default="1")
    values["sellprice"] = _number(given, "sellprice", "part", default="")
    values["discount_percent"] = _number(given, "discount", "part", default="0")
    return {name: value for name, value in values.items() if value != ""}


def _check_language(code: str, languages: list[str]) -> None:
    if code and code not in languages:
        raise RefusalError(f"Die Sprache '{code}' ist unbekannt und muss zuerst eingerichtet werden.")


def _entity(content: Mapped, name: str) -> dict[str, Mapped]:
    if not isinstance(content, dict):
        raise RefusalError(f"Der Inhalt ist kein gültiges Objekt ({name}).")
    return content


def _texts(given: Mapping[str, Mapped], limits: Mapping[str, int | None], entity: str) -> dict[str, str]:
    values = {name: _text(given, name, entity) for name in limits}
    for name, limit in limits.items():
        if limit is not None and len(values[name]) > limit:
            raise RefusalError(
                f"Der Wert von '{name}' ist zu lang ({len(values[name])} Zeichen, erlaubt sind {limit})."
            )
    return values


def _text(given: Mapping[str, Mapped], name: str, entity: str) -> str:
    value = given.get(name)
    if isinstance(value, list):
        value = value[-1] if value else None
    if isinstance(value, dict):
        value = value.get("$", "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusalError(f"Das Feld '{name}' ({entity}) ist kein Text.")
    return value


def _number(given: Mapping[str, Mapped], name: str, entity: str, default: str | None = None) -> str:
    text = _text(given, name, entity)
    if text == "":
        if default is None:
            raise RefusalError(f"Das Feld '{name}' ({entity}) fehlt.")
        return default
    return format(read_number(text, name), "f")


def _whole(text: str, name: str) -> int:
    number = read_number(text, name)
    if number != int(number) or abs(number) > 32767:
        raise RefusalError(f"'{text}' ist keine gültige ganze Zahl ({name}).")
    return int(number)
