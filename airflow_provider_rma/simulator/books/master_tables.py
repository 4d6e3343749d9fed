"""Master data: reading it from a JSON file, filling its defaults, writing it into new books.

The form is that of a plain export: ``tenant``, ``accounts``, ``taxes``, ``customers``, ``vendors``, ``parts``,
``departments``, ``projects``, all with neutral names (``accno``, ``customernumber``, ``tax_accnos`` ...).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_rma.simulator.books.storage import Store

_SECTIONS = ("tenant", "accounts", "taxes")

#: Text fields of a customer or vendor, in documented order (API: customer entity).
PARTY_TEXTS = (
    "name", "created", "ended", "salutation", "firstname", "lastname", "address1", "address2", "zipcode", "city",
    "state", "country", "phone", "fax", "mobile", "email", "cc", "bcc", "notes", "taxnumber", "arap_accno",
    "payment_accno", "bank_name", "bank_address1", "bank_address2", "bank_zipcode", "bank_city", "bank_state",
    "bank_country", "bank_iban", "bank_bic", "language_code", "typeofcontact", "gender", "curr",
)  # fmt: skip

_PART_TEXTS = (
    "description", "unit", "quantity", "sellprice", "lastcost", "discount", "itemnote", "income_accno",
    "expense_accno", "price_update",
)  # fmt: skip


def load_master(path: str | Path) -> dict[str, Any]:
    """Read master data from a JSON file.

    :param path: the file.
    :raises ValueError: if a mandatory section is missing.
    """
    master = json.loads(Path(path).read_text(encoding="utf-8"))
    missing = [section for section in _SECTIONS if section not in master]
    if missing:
        raise ValueError(f"master data in {path} has no {', '.join(missing)}")
    return dict(master)


def read_accnos(value: Any) -> list[str]:
    """Give account numbers as a list, from a list or from blank-separated text."""
    return value.split() if isinstance(value, str) else [str(accno) for accno in value or []]


def read_truth(value: Any) -> bool:
    """Read a yes or no as Python or as text."""
    return value.strip().lower() == "true" if isinstance(value, str) else bool(value)


def party_values(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a customer or vendor: what is absent or empty falls back to the default, or to empty.

    :param values: fields as given.
    :param defaults: ``arap_accno``, ``payment_accno``, ``curr``, ``tax_accnos``, ``created``.
    """
    result: dict[str, Any] = {key: _text(values.get(key)) or defaults.get(key) or "" for key in PARTY_TEXTS}
    result["terms"] = int(values["terms"]) if values.get("terms") not in (None, "") else None
    result["taxfree"] = read_truth(values.get("taxfree"))
    result["remittancevoucher"] = read_truth(values.get("remittancevoucher"))
    given = values.get("tax_accnos")
    # an empty list says "no tax", an empty text says nothing
    result["tax_accnos"] = read_accnos(defaults["tax_accnos"] if given in (None, "") else given)
    return result


def part_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Complete an article; ``tax_accnos`` becomes a list, all other fields text."""
    result: dict[str, Any] = {key: _text(values.get(key)) for key in _PART_TEXTS}
    result["tax_accnos"] = read_accnos(values.get("tax_accnos"))
    return result


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def write_master(store: Store, master: Mapping[str, Any]) -> None:
    """Write master data into new, empty books.

    :param store: the books' file, inside a transaction.
    :param master: data in the form of ``load_master``.
    """
    tenant = {
        "company": "",
        "precision": 2,
        "default_currency": "CHF",
        "closedto": None,
        "languages": [],
        "receivables_accno": "1100",
        "payables_accno": "2000",
        "payment_accno": "1020",
        **master["tenant"],
    }
    counters = tenant.setdefault("number_counters", {})
    for counter, first in (("customer_invoice", "90000"), ("vendor_invoice", "80000"), ("general_ledger", "70000")):
        counters.setdefault(counter, first)
    execute = store.connection.execute
    execute("INSERT INTO meta VALUES ('tenant', ?)", (json.dumps(tenant, ensure_ascii=False),))
    for account in master["accounts"]:
        _write_account(store, account)
    for tax in master["taxes"]:
        execute(
            "INSERT INTO tax VALUES (?, ?, ?, ?)",
            (tax["accno"], str(tax["rate"]), tax.get("validfrom"), tax.get("validto")),
        )
    for department in master.get("departments") or []:
        execute(
            "INSERT INTO department VALUES (?, ?, ?)",
            (store.next_id(), department["name"], department.get("role") or "P"),
        )
    for project in master.get("projects") or []:
        execute(
            "INSERT INTO project VALUES (?, ?, ?)",
            (store.next_id(), project["number"], project.get("description") or ""),
        )


def _write_account(store: Store, account: Mapping[str, Any]) -> None:
    store.connection.execute(
        "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            store.next_id(),
            account["accno"],
            account["description"],
            account.get("charttype") or "A",
            account["category"],
            account.get("link") or "",
            account.get("allow_gl", True),
            account.get("contra", False),
            account.get("is_active", True),
        ),
    )


def list_linked_accnos(accounts: Iterable[Mapping[str, Any]], link: str) -> list[str]:
    """Numbers of the accounts that carry a link, in order of number."""
    return sorted(account["accno"] for account in accounts if link in account["link"].split(":"))
