"""Which operation a path and a method stand for."""

from __future__ import annotations

from airflow_provider_rma.simulator.http.operations import (
    customers,
    invoices,
    ledger,
    master_data,
    payments,
    purchases,
    receipts,
)
from airflow_provider_rma.simulator.http.operations.base import Operation

#: Everything the interface responds to; any other path below a tenant is 404.
OPERATIONS = (
    *customers.OPERATIONS,
    *invoices.OPERATIONS,
    *master_data.OPERATIONS,
    *ledger.OPERATIONS,
    *payments.OPERATIONS,
    *purchases.OPERATIONS,
    *receipts.OPERATIONS,
)


def find_operations(path: list[str]) -> dict[str, tuple[Operation, dict[str, str]]]:
    """Find the operations of a path, by method, each with the parameters that the path holds.

    A path that is named as a whole goes before one with a parameter: ``payment_list`` is no invoice.

    :param path: parts below the tenant.
    """
    found = {}
    for operation in OPERATIONS:
        params = operation.match(path)
        if params is not None and (operation.method not in found or not params):
            found[operation.method] = (operation, params)
    return found
