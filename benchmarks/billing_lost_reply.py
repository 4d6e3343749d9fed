"""One invoice is created while the service books what it receives and every reply is lost; then the task is retried.

Counts the documents in the books afterwards. ``python -m benchmarks.billing_lost_reply --peers PYTHON`` measures the
peers with the interpreter of an environment that has ``benchmarks/requirements-peers.txt``.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.system.service import Books, BooksServer, Call, Reply

#: Seconds until the last attempt: more than total deadline and settle time, as ours asks for.
LATER = 420.0

#: Programs of the peers: each creates one invoice at the address given as argument.
PEERS = {
    "requests, no retries": """
import requests
requests.post(url, json=invoice, timeout=5)
""",
    "requests + urllib3 Retry for POST (3)": """
import requests, requests.adapters, urllib3
session = requests.Session()
retry = urllib3.Retry(3, allowed_methods=None, backoff_factor=0)
session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
session.post(url, json=invoice, timeout=5)
""",
    "xero-python, create_invoices": """
from xero_python.accounting import AccountingApi, Invoice, Invoices
from xero_python.api_client import ApiClient, Configuration
from xero_python.api_client.oauth2 import OAuth2Token
client = ApiClient(Configuration(oauth2_token=OAuth2Token(client_id="x", client_secret="x")))
token = {"access_token": "x", "token_type": "Bearer", "expires_in": 1800, "expires_at": 9e9, "scope": ["x"]}
client.oauth2_token_getter(lambda: token)
client.oauth2_token_saver(lambda token: None)
api = AccountingApi(client, base_url=url.rpartition("/")[0])
try:
    api.create_invoices("00000000-0000-0000-0000-000000000000", Invoices(invoices=[Invoice(invoice_number="R-1")]))
except ValueError:
    pass  # Answered with success, in words that are not Xero's.
""",
    "dlt, sources.helpers.requests": """
from dlt.sources.helpers import requests
requests.post(url, json=invoice, timeout=5)
""",
    "look-up, POST, read-back (script)": """
import requests
if requests.get(url + "/R-1", timeout=5).status_code == 404:
    requests.post(url, json=invoice, timeout=5)
    assert requests.get(url + "/R-1", timeout=5).ok
""",
}

_PREAMBLE = """
import sys
url = sys.argv[1]
invoice = {"invnumber": "R-1", "customernumber": "K-001", "transdate": "2026-09-15",
           "incomeentries": {"incomeentry": [{"amount": "100.00", "income_accno": "3400"}]}}
"""


class Outage:
    """Books that take everything they are sent; replies are lost as long as ``lost`` is true.

    :param delay: seconds after which a document that was sent comes into the books.
    """

    def __init__(self, delay: float) -> None:
        self.lost = True
        self.now = 0.0
        self.books = Books(self._decide, lambda: self.now)
        self._delay = delay

    def _decide(self, call: Call) -> Reply:
        if call.kind != "post":
            return Reply()
        return Reply("lost" if self.lost else "normal", self.now + (self._delay if self.lost else 0))

    def documents(self, attempt: Callable[[], bool]) -> int:
        """Try as Airflow would: in the outage, right after it, and later, until an attempt succeeds.

        :param attempt: gives whether it succeeded.
        :returns: how many documents are in the books at the end.
        """
        if not attempt():
            self.lost = False
            if not attempt():
                self.now += LATER
                attempt()
        self.now += LATER
        return len(self.books.visible())


@contextmanager
def outage(delay: float) -> Iterator[tuple[Outage, str]]:
    """A service in an outage, and its address."""
    with BooksServer() as server:
        one = Outage(delay)
        server.tenants["demo"] = server.tenants["Invoices"] = one.books
        yield one, server.url


def peer(python: str, program: str, delay: float) -> int | None:
    """Documents after a peer's attempts; None if it is not installed."""
    with outage(delay) as (one, url):
        address = f"{url}/api/latest/clients/demo/invoices"
        missing = False

        def attempt() -> bool:
            nonlocal missing
            command = [python, "-c", _PREAMBLE + program, address]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            missing = missing or "ModuleNotFoundError" in done.stderr
            return done.returncode == 0

        count = one.documents(attempt)
        return None if missing else count


def ours(delay: float) -> int:
    """Documents after our attempts; the last one is made after the settle time, as the task's message says."""
    from airflow_provider_rma.billing.journal.engine import open_engine
    from airflow_provider_rma.billing.policy import Policy
    from tests.support.system.workers import Worker, Workshop

    with outage(delay) as (one, url), tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'journal.db'}")
        policy = Policy(check_master_data=False)
        shop = Workshop(url, "demo", lambda _: engine, lambda: one.now, lambda _: None, policy)
        record = {
            "invnumber": "R-1",
            "customernumber": "K-001",
            "transdate": "2026-09-15",
            "incomeentries": [{"amount": "100.00", "income_accno": "3400"}],
        }
        return one.documents(lambda: shop.bill(Worker("w1", lambda name, point: None), [record]).error is None)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=sys.executable, help="Python interpreter that has the peers installed")
    python = parser.parse_args().peers
    logging.disable(logging.CRITICAL)
    rows: list[tuple[str, list[int | None]]] = []
    for name, program in PEERS.items():
        rows.append((name, [peer(python, program, delay) for delay in (0.0, 60.0)]))
    rows.append(("airflow-provider-rma", [ours(delay) for delay in (0.0, 60.0)]))
    print("| One invoice through | documents: booked at once, reply lost | documents: booked 60 s later, reply lost |")
    print("|---|---|---|")
    for name, counts in rows:
        print(f"| {name} | " + " | ".join("not installed" if one is None else str(one) for one in counts) + " |")


if __name__ == "__main__":
    main()
