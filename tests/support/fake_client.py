"""A tenant's books in memory behind the methods of the client that billing uses, for tests in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.totals import derive_totals
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import NotFoundError

Entity = dict[str, Any]


@dataclass
class FakeClient:
    """Holds entities as a client reads them.

    :ivar calls: every call with its argument, in order.
    :ivar errors: raised by the calls of a method, one after the other; None lets a call through.
    :ivar books_failed_posts: whether a POST that raises is carried out nevertheless.
    """

    invoices: list[Entity] = field(default_factory=list)
    customers: list[Entity] = field(default_factory=lambda: [{"customernumber": "K-1", "name": "Alphütte AG"}])
    parts: list[Entity] = field(default_factory=lambda: [{"partnumber": "ART-1"}])
    charts: list[Entity] = field(default_factory=lambda: [{"accno": "3400"}, {"accno": "2201"}])
    calls: list[tuple[str, Any]] = field(default_factory=list)
    errors: dict[str, list[Exception | None]] = field(default_factory=dict)
    books_failed_posts: bool = False
    config: ClientConfig = field(
        default_factory=lambda: ClientConfig(tenant="demo", token="pat_example", host="http://127.0.0.1:1")
    )

    @property
    def posts(self) -> list[str]:
        """Numbers of the entities that were sent, in order."""
        return [number for name, number in self.calls if name in ("create_invoice", "save_customer")]

    def iter_invoices(self, *, from_date: date, to_date: date, content_type: str = "json") -> Iterator[Entity]:
        self._call("iter_invoices", from_date)
        return (invoice for invoice in list(self.invoices) if from_date <= invoice["transdate"] <= to_date)

    def get_invoice(self, number: str) -> Entity:
        self._call("get_invoice", number)
        return self._find(self.invoices, "invnumber", number)

    def create_invoice(self, entity: Mapping[str, Any]) -> None:
        totals = derive_totals(entity)
        booked: Entity = {"id": str(10_000 + len(self.invoices)), "currency": "CHF", "netamount": totals.net}
        booked |= {"amount": totals.gross, **entity}
        self._post("create_invoice", entity["invnumber"], lambda: self.invoices.append(booked))

    def list_customers(self) -> list[Entity]:
        self._call("list_customers", None)
        return list(self.customers)

    def get_customer(self, number: str) -> Entity:
        self._call("get_customer", number)
        return self._find(self.customers, "customernumber", number)

    def save_customer(self, entity: Mapping[str, Any]) -> None:
        number = entity["customernumber"]
        others = [customer for customer in self.customers if customer["customernumber"] != number]
        self._post("save_customer", number, lambda: setattr(self, "customers", [*others, dict(entity)]))

    def list_parts(self) -> list[Entity]:
        return self.parts

    def list_charts(self) -> list[Entity]:
        return self.charts

    def _post(self, name: str, number: str, book: Callable[[], None]) -> None:
        try:
            self._call(name, number)
        except Exception:
            if self.books_failed_posts:
                book()
            raise
        book()

    def _find(self, entities: list[Entity], field_name: str, number: str) -> Entity:
        key = normalize_number(number)
        for entity in entities:
            if normalize_number(entity[field_name]) == key:
                return entity
        raise NotFoundError("there is none", status=404)

    def _call(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))
        errors = self.errors.get(name)
        if errors and (error := errors.pop(0)) is not None:
            raise error

    def as_client(self) -> RunMyAccountsClient:
        """Return itself, for whoever takes a client."""
        return cast("RunMyAccountsClient", self)
