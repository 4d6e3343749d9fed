"""Read what the books hold under the numbers of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic

from airflow_provider_rma.billing.journal.model import JournalRow
from airflow_provider_rma.billing.kinds.base import Comparison, D, DocumentKind, Entity
from airflow_provider_rma.billing.numbers import is_plain_number
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.exceptions import NotFoundError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lookup(Generic[D]):
    """Finds in the books what a run is about, and keeps it in the run's working set.

    :param open_rows: journal rows whose document may or may not be in the books, by key.
    """

    kind: DocumentKind[D]
    working_set: WorkingSet[D]
    open_rows: Mapping[str, JournalRow]

    def read_list(self) -> None:
        """Read the whole list once and keep what it holds under the numbers of the run."""
        read = 0
        for entity in self.kind.list_booked():
            read += 1
            self._keep(entity)
        log.info("Read %d %s from the books.", read, self.kind.plural)

    def ask_by_number(self, known: Iterable[str]) -> bool:
        """Ask for each number of the run by itself, and keep what the books hold.

        A response "not found" proves absence only for numbers that travel safely in a path, and only while a number
        known to exist is found in the same way.

        :param known: numbers that should be in the books, tried in turn.
        :returns: whether absence is proven this way; if not, the whole list has to be read.
        """
        numbers = {document.key: document.number for document in self.working_set.pending()}
        numbers |= {key: row.number for key, row in self.open_rows.items()}
        if not all(map(is_plain_number, numbers.values())):
            log.info(
                "Some numbers hold characters that a look-up cannot be trusted with: reading the whole list instead."
            )
            return False
        if not self._finds_known(known):
            log.info("No number known to exist was found by a look-up: reading the whole list instead.")
            return False
        for number in numbers.values():
            with suppress(NotFoundError):
                self._keep(self.kind.get_booked(number))
        log.info("Looked %d numbers up in the books.", len(numbers))
        return True

    def _finds_known(self, known: Iterable[str]) -> bool:
        for number in filter(is_plain_number, known):
            with suppress(NotFoundError):
                self.kind.get_booked(number)
                return True
        return False

    def _keep(self, entity: Entity) -> None:
        booked = self.kind.to_booked(entity)
        document = self.working_set.document(booked.key)
        if document is not None:
            self.working_set.add_booked(self.kind.compare(document, entity))
        elif booked.key in self.open_rows or self.working_set.carries(booked.key):
            self.working_set.add_booked(Comparison(booked, unchecked=("everything",)))
