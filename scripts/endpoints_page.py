"""Write docs/endpoints.md: which endpoint is known, called, used and simulated, taken from the declarations.

Run it after a change of endpoints, of methods of the client or of the simulator: ``python scripts/endpoints_page.py``.
A test compares the page with what this makes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.endpoint import Endpoint
from airflow_provider_rma.simulator.http.operations.base import Operation
from airflow_provider_rma.simulator.http.routing import OPERATIONS

PAGE = Path(__file__).parents[1] / "docs" / "endpoints.md"

#: Endpoints that an operator uses, by the operator's class without its prefix.
OPERATORS: Mapping[str, tuple[Endpoint, ...]] = {
    "CreateCustomers": (endpoints.LIST_CUSTOMERS, endpoints.GET_CUSTOMER, endpoints.SAVE_CUSTOMER),
    "PlanInvoices": (
        endpoints.LIST_INVOICES,
        endpoints.GET_INVOICE,
        endpoints.LIST_CUSTOMERS,
        endpoints.LIST_PARTS,
        endpoints.LIST_CHARTS,
    ),
    "CreateInvoices": (
        endpoints.LIST_INVOICES,
        endpoints.GET_INVOICE,
        endpoints.CREATE_INVOICE,
        endpoints.LIST_CUSTOMERS,
        endpoints.LIST_PARTS,
        endpoints.LIST_CHARTS,
    ),
    "CancelInvoices": (
        endpoints.LIST_INVOICES,
        endpoints.GET_INVOICE,
        endpoints.CREATE_INVOICE,
        endpoints.LIST_CUSTOMERS,
        endpoints.LIST_PARTS,
        endpoints.LIST_CHARTS,
        endpoints.LIST_DEPARTMENTS,
    ),
    "EstimateLedger": (endpoints.LIST_CHARTS, endpoints.LIST_TRANSACTIONS, endpoints.LIST_BALANCES),
    "ExtractLedger": (
        endpoints.LIST_CHARTS,
        endpoints.LIST_TRANSACTIONS,
        endpoints.LIST_BALANCES,
        endpoints.GET_INVOICE,
    ),
}

_INTRODUCTION = """\
# Endpoints: what can be read and written

<!-- Made by scripts/endpoints_page.py. Do not edit. -->

The client knows every usable request of RMA's interface. A task reaches it through the hook:

```python
from airflow_provider_rma.hooks.rma import RunMyAccountsHook
from airflow_provider_rma.schemas.payment import PaymentSchema

with RunMyAccountsHook("rma_default").get_conn() as client:
    payment = PaymentSchema().from_user(
        {"datepaid": "2026-10-31", "amount_paid": "648.60", "payment_accno": "1030", "source": "TX-4711"}
    )
    posted = client.create_invoice_payment("260001", payment)
```

- **Reads** are tried again if the connection or the service fails. Entities are dicts with RMA's field names, amounts
  as `Decimal`, days as `date`.
- **Writes** need `allow_writes` on the connection, are sent once, and are never repeated by the client. A task that
  calls a write itself has none of what [billing](never-twice.md) adds: no journal, no read-back, no brakes. After an
  `OutcomeUnknownError` only reading can tell whether the write was carried out. Run such a task without retries.
- A write whose evidence begins with *inferred* is documented nowhere. It must be asked for with
  `experimental=True`, and each one is a warning in the log.
- **Payments** are posted on accounts that RMA has opened for this purpose: which, and who books payments at all, is
  agreed with RMA first. Discounts and bank charges are payments on their accounts. The posted payment is returned, or
  `None` if RMA states none. A time stamp in `datepaid` counts as its Swiss day.
- **The payment list** changes what the service remembers: a payment that is `NEW` is `EVEN` the next time, also if the
  response was lost on its way. Flags and processed marks belong to the token: a new token sees everything as new. Key
  payments on their `id` and content, never on the flag.
- **PDF** and HTML of an invoice are handed out only with exactly their content type; a PDF must begin with `%PDF` and
  have its end. At most 64 MB are taken.
- **Receipts**: PDF, PNG, JPEG and GIF of at most 25 MB, recognised by their first bytes before anything is sent. RMA
  knows a file by its content; the same file again is no error (`is_known`), so an upload with an unknown outcome may be
  repeated. The CRC32 that RMA states is compared.

"""

_HEAD = "| Request | Client | Operators | Content types | Simulator | Evidence |\n|---|---|---|---|---|---|\n"

_LEGEND = """
*Operators* are named without `RunMyAccounts` and `Operator`; the transfers `SqlToRunMyAccounts…` use what their
operator uses. *Simulator* is the class of requests by which [faults](simulator.md#faults-on-purpose) are switched.
*Evidence*: *documented* by RMA, *seen in clients* that are public and in production, *inferred* by us.
"""


def render_page() -> str:
    """Render the page."""
    return _INTRODUCTION + _HEAD + "".join(map(_render_row, endpoints.ENDPOINTS)) + _LEGEND


def _render_row(endpoint: Endpoint) -> str:
    operation = find_operation(endpoint)
    cells = (
        f"`{endpoint.method} {endpoint.path}`",
        ", ".join(f"`{name}`" for name in find_methods(endpoint)) or "—",
        ", ".join(name for name, used in OPERATORS.items() if endpoint in used) or "—",
        _content_types(endpoint),
        f"`{operation.request_class}`" if operation else "—",
        endpoint.evidence,
    )
    return f"| {' | '.join(cells)} |\n"


def find_methods(endpoint: Endpoint) -> list[str]:
    """Find the methods of the client that call an endpoint."""
    name = next(name for name, value in vars(endpoints).items() if value is endpoint)
    return [method for method, names in list_methods() if name in names]


def list_methods() -> Iterator[tuple[str, set[str]]]:
    """List the public methods of the client, each with the names of the endpoints that it calls."""
    for name, method in inspect.getmembers(RunMyAccountsClient, inspect.isfunction):
        if not name.startswith("_"):
            yield name, set(re.findall(r"\bendpoints\.([A-Z0-9_]+)", inspect.getsource(method)))


def find_operation(endpoint: Endpoint) -> Operation | None:
    """Find the operation of the simulator that serves an endpoint."""
    wanted = (endpoint.method, describe_path(endpoint.path))
    return next((each for each in OPERATIONS if (each.method, describe_path(each.template)) == wanted), None)


def describe_path(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"{.*?}", "{}", path)


def _content_types(endpoint: Endpoint) -> str:
    if endpoint.media_type:
        return endpoint.media_type
    return f"{endpoint.form}; JSON, XML" if endpoint.form else "JSON, XML"


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
