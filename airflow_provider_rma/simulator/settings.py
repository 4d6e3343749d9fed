"""Switches that can be turned while the simulator runs.

There is one where the documentation leaves a question open or a test needs the other behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from airflow_provider_rma.simulator.books.days import today_in_zurich

#: How an empty list may be written in JSON.
EMPTY_FORMS = ("null", "object", "text", "missing")

_CHOICES: dict[str, tuple[Any, ...]] = {
    "duplicates": ("refuse", "accept"),
    "empty_list": EMPTY_FORMS,
    "list_of_one": ("object", "array"),
    "unknown_account": (200, 404),
    "unknown_tenant": (403, 404),
    "compress": (False, True),
}


@dataclass
class Settings:
    """The switches, each with the reading that is the default.

    :param duplicates: an invoice number that exists already: ``refuse`` (400) or ``accept``.
    :param empty_list: an empty list in JSON: ``null``, ``object``, ``text`` or ``missing``.
    :param list_of_one: a list response of one entity in JSON: the entity itself (``object``) or an ``array``.
    :param unknown_account: transactions of an account number that does not exist: ``200`` (empty) or ``404``.
    :param unknown_tenant: a tenant that the key does not open: ``403`` or ``404``.
    :param compress: respond with gzip where the client accepts it.
    :param today: the day it is for the service (ISO text); none means today in Switzerland.
    """

    duplicates: str = "refuse"
    empty_list: str = "null"
    list_of_one: str = "object"
    unknown_account: int = 200
    unknown_tenant: int = 403
    compress: bool = False
    today: str | None = None

    @property
    def day(self) -> date:
        """The day it is for the service."""
        return date.fromisoformat(self.today) if self.today else today_in_zurich()

    def change(self, given: Mapping[str, Any]) -> None:
        """Turn the switches that are named; nothing is changed when one of them is unknown or has a wrong value."""
        names = {switch.name for switch in fields(self)}
        for name, value in given.items():
            if name not in names:
                raise ValueError(f"there is no switch {name!r}, only {', '.join(sorted(names))}")
            if name in _CHOICES and value not in _CHOICES[name]:
                raise ValueError(f"{name} must be one of {_CHOICES[name]}, not {value!r}")
        if given.get("today"):
            date.fromisoformat(given["today"])
        for name, value in given.items():
            setattr(self, name, value)

    def to_json(self) -> dict[str, Any]:
        """All switches as they stand."""
        return asdict(self)
