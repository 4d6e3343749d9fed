"""The operations of the documented interface: what each request does with the books, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.http import serialise, wire
from airflow_provider_rma.simulator.http.parse import read_customer, read_invoice
from airflow_provider_rma.simulator.http.responses import ResponseError, Result, WireEntity
from airflow_provider_rma.simulator.http.wire import Listing
from airflow_provider_rma.simulator.settings import Settings
from airflow_provider_rma.simulator.values import read_boolean, read_query_day

_STATUSES = ("OPEN", "PAID", "OVERDUE")


@dataclass(frozen=True)
class ApiRequest:
    """What an operation is given.

    :param params: parts of the path, such as ``number``.
    :param query: query parameters.
    :param content: the body, read.
    :param settings: the switches.
    """

    params: Mapping[str, str]
    query: Mapping[str, str]
    content: wire.Mapped
    settings: Settings

    def day(self, name: str, default: date | None = None) -> str | None:
        """A date parameter as ISO text; empty counts as absent."""
        given = self.query.get(name)
        found = read_query_day(given, name, self.settings.day) if given else default
        return found.isoformat() if found else None

    def flag(self, name: str, *, default: bool) -> bool:
        """A ``true``/``false`` parameter."""
        return read_boolean(self.query.get(name, ""), name, default=default)


@dataclass(frozen=True)
class Operation:
    """One documented method and path.

    :param path: parts below the tenant; ``{name}`` stands for any one part.
    :param request_class: what faults are switched by.
    :param body_root: XML root of the body, for a POST.
    """

    method: str
    path: tuple[str, ...]
    request_class: str
    perform: Callable[[Books, ApiRequest], Result]
    body_root: str | None = None

    @property
    def template(self) -> str:
        """The path as text."""
        return "/" + "/".join(self.path)

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Parameters if the path fits, else ``None``; a trailing slash has been dropped before."""
        if len(parts) != len(self.path):
            return None
        found = {}
        for expected, given in zip(self.path, parts, strict=True):
            if expected.startswith("{"):
                found[expected.strip("{}")] = given
            elif expected != given:
                return None
        return found


def list_customers(books: Books, _: ApiRequest) -> Result:
    """All customers."""
    return Listing("customer", map(serialise.customer_tree, books.customers()), root="customers")


def get_customer(books: Books, call: ApiRequest) -> Result:
    """One customer by exact number, or 404."""
    customer = books.customer(call.params["number"])
    if customer is None:
        raise ResponseError(404, f"Der Kunde '{call.params['number']}' wurde nicht gefunden.")
    return WireEntity("customer", serialise.customer_tree(customer))


def save_customer(books: Books, call: ApiRequest) -> Result:
    """Create or overwrite a customer."""
    books.save_customer(read_customer(call.content, _languages(books)))
    return None


def list_parts(books: Books, _: ApiRequest) -> Result:
    """All articles of the master data."""
    return Listing("part", map(serialise.part_tree, books.parts()), root="parts")


def list_invoices(books: Books, call: ApiRequest) -> Result:
    """Invoices by date (from the close date to today unless told otherwise), status and customer."""
    status = call.query.get("status") or None
    if status is not None and status not in _STATUSES:
        raise RefusalError(f"Der Status '{status}' ist nicht bekannt (status).", "status")
    closed = books.tenant.get("closedto")
    found = books.invoices(
        from_date=call.day("from", date.fromisoformat(closed) if closed else None),
        to_date=call.day("to", call.settings.day),
        status=status,
        customernumber=call.query.get("customer_number") or None,
        today=call.settings.day.isoformat(),
    )
    trees = (serialise.invoice_tree(one, books.customer(one["customernumber"])) for one in found)
    return Listing("invoice", trees, root="invoices")


def get_invoice(books: Books, call: ApiRequest) -> Result:
    """One invoice by exact number; of several with that number the first that was posted."""
    number = call.params["number"]
    ids = books.find_invoices(number)
    if not ids:
        raise ResponseError(404, f"Die Rechnung '{number}' wurde nicht gefunden.")
    document = books.document(ids[0], today=call.settings.day)
    return WireEntity("invoice", serialise.invoice_tree(document, books.customer(document["customernumber"])))


def create_invoice(books: Books, call: ApiRequest) -> Result:
    """Post an invoice; the customer inside is created or overwritten once the invoice is found acceptable."""
    document = read_invoice(call.content, _languages(books))
    books.check_invoice(document)
    number = document["invnumber"]
    if call.settings.duplicates == "refuse" and books.find_invoices(number):
        raise RefusalError(f"Eine Rechnung mit der Nummer '{number}' existiert bereits.", "invnumber")
    customer = document.pop("customer", None)
    with books.in_one_transaction():
        if customer is not None:
            books.save_customer(customer)
        books.post_invoice(document)
    return None


def list_charts(books: Books, _: ApiRequest) -> Result:
    """All accounts, without the headings of the chart."""
    accounts = (one for one in books.accounts() if one["charttype"] == "A")
    return Listing("chart", map(serialise.chart_tree, accounts), root="charts")


def list_departments(books: Books, _: ApiRequest) -> Result:
    """All departments."""
    return Listing("department", map(serialise.department_tree, books.departments()), root="departments")


def list_projects(books: Books, _: ApiRequest) -> Result:
    """All projects."""
    return Listing("project", map(serialise.project_tree, books.projects()), root="projects")


def list_transactions(books: Books, call: ApiRequest) -> Result:
    """Posting lines of the accounts that fit a pattern, with their number announced."""
    pattern = call.params["accno"]
    unknown = "x" not in pattern.lower() and all(one["accno"] != pattern for one in books.accounts())
    if unknown and call.settings.unknown_account == 404:
        raise ResponseError(404, f"Das Konto '{pattern}' wurde nicht gefunden.")
    wanted = (
        pattern,
        call.day("from_date"),
        call.day("to_date", call.settings.day),
        call.flag("include_openings", default=False),
        call.flag("include_closings", default=False),
    )
    count, postings = books.counted_postings(*wanted)
    return Listing(
        "transaction",
        serialise.transactions(postings),
        root="transactions",
        attributes={"@number_of_transaction": str(count)},
    )


def trial_balance(books: Books, call: ApiRequest) -> Result:
    """Balances of the accounts that moved, in the sign in which a balance is shown."""
    rows = books.balances(
        accno_pattern=call.query.get("accno") or "x",
        from_date=call.day("from"),
        to_date=call.day("to", call.settings.day),
        department=call.query.get("department") or None,
        exclude_yearend=call.flag("exclude_yearend_bookings", default=False),
        include_openings=call.flag("include_openings", default=True),
        project=call.query.get("project") or None,
        main_currency=call.flag("bookkeeping_main_curr", default=True),
    )
    return Listing("row", map(serialise.balance_tree, rows), root="table")


def _languages(books: Books) -> list[str]:
    return list(books.tenant.get("languages") or [])


OPERATIONS = (
    Operation("GET", ("customers",), "read_customers", list_customers),
    Operation("POST", ("customers",), "save_customer", save_customer, body_root="customer"),
    Operation("GET", ("customers", "{number}"), "read_customer", get_customer),
    Operation("GET", ("parts",), "read_parts", list_parts),
    Operation("GET", ("invoices",), "read_invoices", list_invoices),
    Operation("POST", ("invoices",), "create_invoice", create_invoice, body_root="invoice"),
    Operation("GET", ("invoices", "{number}"), "read_invoice", get_invoice),
    Operation("GET", ("charts",), "read_charts", list_charts),
    Operation("GET", ("charts", "{accno}", "transactions"), "read_transactions", list_transactions),
    Operation("GET", ("gl", "v2", "saldo"), "read_saldo", trial_balance),
    Operation("GET", ("departments",), "read_departments", list_departments),
    Operation("GET", ("projects",), "read_projects", list_projects),
)
"""Everything that is answered; anything else under the tenant is 404."""
