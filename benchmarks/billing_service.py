"""A service to bill against, in a process of its own, that answers each request after a delay.

Every tenant exists; one whose name ends in ``-holds-N`` begins with ``N`` invoices. Prints its address and serves until
its standard input ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from tests.support.system.service import Booked, Books, BooksServer, Reply


def invoice(number: int) -> dict[str, Any]:
    """An invoice as a user writes it: 100.00 and 8.10 tax."""
    return {
        "invnumber": f"R-{number}",
        "customernumber": "K-001",
        "transdate": "2026-09-15",
        "description": f"Wartung, Auftrag {number}",
        "incomeentries": [{"amount": "100.00", "income_accno": "3400", "description": "Beratung"}],
        "taxentries": [{"amount": "8.10", "tax_accno": "2201"}],
    }


class _Tenants(dict[str, Books]):
    def __init__(self, delay: float) -> None:
        super().__init__()
        self._delay = delay

    def __missing__(self, tenant: str) -> Books:
        def decide(_: Any) -> Reply:
            time.sleep(self._delay)
            return Reply("normal", 0.0)

        books = self[tenant] = Books(decide, lambda: 1.0)
        _, _, held = tenant.partition("-holds-")
        books.documents += [_booked(number) for number in range(int(held or 0))]
        return books


def _booked(number: int) -> Booked:
    given = invoice(number)
    booked = given | {
        "id": str(10_001 + number),
        "currency": "CHF",
        "netamount": "100.00",
        "amount": "108.10",
        "customer": {"customernumber": given["customernumber"]},
        "incomeentries": {"incomeentry": given["incomeentries"]},
        "taxentries": {"taxentry": given["taxentries"]},
    }
    return Booked(
        booked["id"], given["invnumber"], 0.0, Decimal("108.10"), json.dumps(booked).encode(), "2026-09-15", ""
    )


@contextmanager
def service(delay: float) -> Iterator[str]:
    """Address of a running service.

    :param delay: seconds before each answer.
    """
    command = [sys.executable, "-m", "benchmarks.billing_service", str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


if __name__ == "__main__":
    with BooksServer() as server:
        server.tenants = _Tenants(float(sys.argv[1]))
        print(server.url, flush=True)
        sys.stdin.read()
