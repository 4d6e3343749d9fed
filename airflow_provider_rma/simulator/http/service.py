"""Everything one running simulator holds, shared by the interface, the control endpoint and the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from airflow_provider_rma.simulator.books.worker import BooksWorker
from airflow_provider_rma.simulator.faults.rules import Faults
from airflow_provider_rma.simulator.http.auth import TokenAuth
from airflow_provider_rma.simulator.settings import Settings


@dataclass
class Service:
    """One running simulator.

    :param tenant: the tenant ("Mandant") the key opens.
    :param auth: which key in which place opens it.
    :param worker: the books.
    :param settings: the switches.
    :param faults: faults on purpose.
    :param received: requests that arrived, by method and path template.
    :param answered: responses by method, path template and status (``lost`` if there was none).
    """

    tenant: str
    auth: TokenAuth
    worker: BooksWorker
    settings: Settings = field(default_factory=Settings)
    faults: Faults = field(default_factory=Faults)
    received: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
