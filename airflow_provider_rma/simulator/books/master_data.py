"""The tenant's settings and master data: accounts, taxes, departments, projects, articles, customers, vendors."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_rma.simulator.books.days import Day, to_iso, today_in_zurich
from airflow_provider_rma.simulator.books.master_tables import (
    list_linked_accnos,
    part_values,
    party_values,
)
from airflow_provider_rma.simulator.books.rounding import ZERO
from airflow_provider_rma.simulator.books.storage import Store

_OPEN_END = "9999-12-31"


class MasterDataStore:
    """Reads and writes master data. Accounts, taxes and departments do not change while the books are open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rates: dict[tuple[str, str], Decimal] = {}
        self._taxes = [dict(row) for row in store.fetch("SELECT * FROM tax")]
        self._accounts = {row["accno"]: self._account_dict(dict(row)) for row in store.fetch("SELECT * FROM account")}
        self._departments = {row["id"]: dict(row) for row in store.fetch("SELECT * FROM department ORDER BY id")}

    # ------------------------------------------------------------------ tenant

    @property
    def tenant(self) -> dict[str, Any]:
        """The tenant's settings as they are in the file now: ``company``, ``closedto`` (ISO or ``None``), ..."""
        return dict(self._store.read_cached("tenant", self._read_tenant))

    def _read_tenant(self) -> dict[str, Any]:
        tenant: dict[str, Any] = json.loads(self._store.fetch("SELECT value FROM meta WHERE key = 'tenant'")[0][0])
        return tenant

    def _save_tenant(self, tenant: Mapping[str, Any]) -> None:
        with self._store.write() as connection:
            text = json.dumps(tenant, ensure_ascii=False)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'tenant'", (text,))
            self._store.forget("tenant")

    def languages(self) -> list[str]:
        """Codes of the languages that the tenant has set up."""
        return list(self.tenant.get("languages") or [])

    def set_close_date(self, day: Day) -> None:
        """Close the books up to and including a day; ``None`` opens them again."""
        with self._store.write():
            self._save_tenant({**self.tenant, "closedto": to_iso(day)})

    def next_number(self, counter: str) -> str:
        """Take the next number of a counter: ``customer_invoice``, ``vendor_invoice`` or ``general_ledger``."""
        with self._store.write():
            tenant = self.tenant
            number = str(int(tenant["number_counters"][counter]) + 1)
            tenant["number_counters"][counter] = number
            self._save_tenant(tenant)
            return number

    # ------------------------------------------------------------------ accounts, taxes, departments, projects

    def _account_dict(self, row: dict[str, Any]) -> dict[str, Any]:
        for flag in ("allow_gl", "contra", "is_active"):
            row[flag] = bool(row[flag])
        row["taxes"] = [
            {"rate": Decimal(tax["rate"]), "validfrom": tax["validfrom"], "validto": tax["validto"]}
            for tax in self._taxes
            if tax["accno"] == row["accno"]
        ]
        return row

    def accounts(self) -> list[dict[str, Any]]:
        """All accounts and headings by number: ``id accno description charttype category link allow_gl ...``."""
        return [dict(self._accounts[accno]) for accno in sorted(self._accounts)]

    def account(self, accno: str) -> dict[str, Any] | None:
        """One account or heading by number."""
        return self._accounts.get(accno)

    def tax_rate(self, accno: str, day: str) -> Decimal:
        """Rate (fraction) of a tax account at a date: the first whose end is not before it.

        The start of a rate plays no part, so a very old date takes the earliest rate (ledger code, D21).
        """
        if (accno, day) not in self._rates:
            valid = [tax for tax in self._taxes if tax["accno"] == accno and (tax["validto"] or _OPEN_END) >= day]
            first = min(valid, key=lambda tax: tax["validto"] or _OPEN_END, default=None)
            self._rates[accno, day] = Decimal(first["rate"]) if first else ZERO
        return self._rates[accno, day]

    def departments(self) -> list[dict[str, Any]]:
        """Departments: ``id``, ``name``, ``role`` (P profit centre, C cost centre)."""
        return [dict(department) for department in self._departments.values()]

    def department(self, number: int | None) -> dict[str, Any] | None:
        """One department by id."""
        return self._departments.get(number) if number else None

    def find_department(self, text: str) -> dict[str, Any] | None:
        """Find a department written as ``name``, ``name--id``, ``name-id`` or ``name–id``."""
        for department in self._departments.values():
            name, number = department["name"], department["id"]
            if text in {name, f"{name}--{number}", f"{name}-{number}", f"{name}–{number}"}:
                return department
        return None

    def projects(self) -> list[dict[str, Any]]:
        """Projects: ``id``, ``number``, ``description``."""
        return [dict(row) for row in self._store.fetch("SELECT * FROM project ORDER BY number")]

    def project_id(self, number: str | None) -> int | None:
        """Id of a project by its number; ``None`` if there is none."""
        if not number:
            return None
        query = "SELECT id FROM project WHERE number = ?"
        rows = self._store.read_cached(("project", number), lambda: self._store.fetch(query, (number,)))
        return int(rows[0][0]) if rows else None

    # ------------------------------------------------------------------ articles, customers, vendors

    def parts(self) -> list[dict[str, Any]]:
        """All articles by number; prices and quantities as text, ``tax_accnos`` as a list."""
        return [_entity(row, "partnumber") for row in self._store.fetch("SELECT * FROM part ORDER BY number")]

    def part(self, number: str) -> dict[str, Any] | None:
        """One article by its exact number."""
        found = self._store.read_cached(("part", number), lambda: self._read_part(number))
        return dict(found) if found else None

    def _read_part(self, number: str) -> dict[str, Any] | None:
        rows = self._store.fetch("SELECT * FROM part WHERE number = ?", (number,))
        return _entity(rows[0], "partnumber") if rows else None

    def customers(self) -> list[dict[str, Any]]:
        """All customers by number, with every documented field; ``tax_accnos`` is a list."""
        return self._parties("customer")

    def vendors(self) -> list[dict[str, Any]]:
        """All vendors by number; fields as of customers."""
        return self._parties("vendor")

    def customer(self, number: str) -> dict[str, Any] | None:
        """One customer by the exact number."""
        return self._party("customer", number)

    def vendor(self, number: str) -> dict[str, Any] | None:
        """One vendor by the exact number."""
        return self._party("vendor", number)

    def _parties(self, kind: str) -> list[dict[str, Any]]:
        rows = self._store.fetch("SELECT * FROM party WHERE kind = ? ORDER BY number", (kind,))
        return [_entity(row, f"{kind}number") for row in rows]

    def _party(self, kind: str, number: str) -> dict[str, Any] | None:
        found = self._store.read_cached(("party", kind, number), lambda: self._read_party(kind, number))
        return dict(found) if found else None

    def _read_party(self, kind: str, number: str) -> dict[str, Any] | None:
        rows = self._store.fetch("SELECT * FROM party WHERE kind = ? AND number = ?", (kind, number))
        return _entity(rows[0], f"{kind}number") if rows else None

    def save_customer(self, values: Mapping[str, Any]) -> int:
        """Create a customer or overwrite all of an existing one, and return its id.

        What is absent or empty falls back to the default: accounts 1100 and 1020, all sales tax accounts.

        :param values: the fields of the customer; ``customernumber`` is the key, ``tax_accnos`` a list or
            blank-separated text (an empty list: no tax).
        """
        return self._save_party("customer", values, "AR_tax", self.tenant["receivables_accno"])

    def save_vendor(self, values: Mapping[str, Any]) -> int:
        """Create or overwrite a vendor, and return its id; defaults as for customers, with account 2000."""
        return self._save_party("vendor", values, "AP_tax", self.tenant["payables_accno"])

    def _save_party(self, kind: str, values: Mapping[str, Any], tax_link: str, arap_accno: str) -> int:
        number = str(values[f"{kind}number"])
        with self._store.write():
            known = self._party(kind, number)
            tenant = self.tenant
            defaults = {
                "arap_accno": arap_accno,
                "payment_accno": tenant["payment_accno"],
                "curr": values.get("currency") or tenant["default_currency"],
                "tax_accnos": list_linked_accnos(self._accounts.values(), tax_link),
                "created": known["created"] if known else today_in_zurich().isoformat(),
            }
            return self._save_body("party", known, (kind, number), party_values(values, defaults))

    def save_part(self, values: Mapping[str, Any]) -> int:
        """Create or overwrite an article, and return its id (the documented interface has no such call).

        :param values: the fields of the article; ``partnumber`` is the key.
        """
        number = str(values["partnumber"])
        with self._store.write():
            return self._save_body("part", self.part(number), (number,), part_values(values))

    def _save_body(
        self, table: str, known: Mapping[str, Any] | None, key: tuple[str, ...], body: Mapping[str, Any]
    ) -> int:
        text = json.dumps(body, ensure_ascii=False, default=str)
        connection = self._store.connection
        self._store.forget((table, *key))
        if known:
            connection.execute(f"UPDATE {table} SET body = ? WHERE id = ?", (text, known["id"]))  # noqa: S608
            return int(known["id"])
        number = self._store.next_id()
        marks = ", ".join("?" * (len(key) + 2))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", (number, *key, text))  # noqa: S608
        return number


def _entity(row: sqlite3.Row, key: str) -> dict[str, Any]:
    return {"id": row["id"], key: row["number"], **json.loads(row["body"])}
