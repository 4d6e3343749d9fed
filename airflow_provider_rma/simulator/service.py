"""Everything one running simulator holds, shared by the interface, the control endpoint and the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from airflow_provider_rma.simulator.faults.rules import Chaos
from airflow_provider_rma.simulator.http.auth import TokenAuth
from airflow_provider_rma.simulator.settings import Settings
from airflow_provider_rma.simulator.worker import BooksWorker


@dataclass
class Service:
    """One running simulator.

    :param tenant: the tenant ("Mandant") the key opens.
    :param keys: which key in which place opens it.
    :param room: the books.
    :param settings: the switches.
    :param chaos: faults on purpose.
    :param received: requests that arrived, by method and path template.
    :param answered: answers by method, path template and status (``lost`` if there was none).
    """

    tenant: str
    keys: TokenAuth
    room: BooksWorker
    settings: Settings = field(default_factory=Settings)
    chaos: Chaos = field(default_factory=Chaos)
    received: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
