"""Read what the books hold under the numbers of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal.model import JournalRow
from airflow_provider_rma.billing.kinds.base import Comparison, D, DocumentKind, Entity
from airflow_provider_rma.billing.numbers import is_plain_number, normalize_number
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.exceptions import NotFoundError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """Worth of a reading of the books, and the findings beside the numbers of the run.

    :param unproven: why nothing that was not found is proven absent, empty if it is.
    :param unproven_keys: keys that alone are not proven absent, though nothing was found under them.
    :param repeated: documents that stand under one number of the journal which the run does not carry, by key.
    """

    unproven: str = ""
    unproven_keys: frozenset[str] = frozenset()
    repeated: Mapping[str, list[BookedDocument]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lookup(Generic[D]):
    """Finds in the books what a run is about, and keeps it in the run's working set.

    :param open_rows: journal rows whose document may or may not be in the books, by key.
    :param started: the journal's time before anything was read, in seconds since 1970.
    """

    kind: DocumentKind[D]
    working_set: WorkingSet[D]
    open_rows: Mapping[str, JournalRow]
    started: float

    def read_list(self, journalled: AbstractSet[str], newest: Iterable[str] = ()) -> Findings:
        """Read the whole list once and keep what it holds under the numbers of the run.

        A list proves absence only as far as it shows what is known to be there. If it holds none of the numbers that
        the journal knows as booked, it proves nothing. If it lacks some, they are asked for by themselves, and so is
        what was sent without a reliable response: of that the list may lack what no journal knows as booked. If one of
        them is there after all, the list is incomplete, and each number of the run is asked for as well.

        :param journalled: keys that the journal knows as booked.
        :param newest: numbers that were booked last; a list that lags lacks these first.
        """
        count, seen, control = 0, dict[str, BookedDocument](), ""
        repeated = dict[str, list[BookedDocument]]()
        for entity in self.kind.list_booked():
            count += 1
            booked = self.kind.to_booked(entity)
            self._keep(entity, booked)
            control = booked.number if is_plain_number(booked.number) else control
            if booked.key in seen:
                known = repeated.get(booked.key) or [seen[booked.key]]
                if not booked.is_among(known):
                    repeated[booked.key] = [*known, booked]
            elif booked.key in journalled:
                seen[booked.key] = booked
        log.info("Read %d %s from the books.", count, self.kind.plural)
        newest = list(newest)
        if journalled and not seen and not self._are_gone(journalled, newest, control):
            reason = (
                f"the list of {self.kind.plural} holds none of the {len(journalled)} that the journal knows as booked, "
                "so it does not prove that anything is absent; check the tenant, then run again. If they were removed "
                "on purpose, say so with rma journal resolve"
            )
            log.error("Nothing is sent: %s.", reason)
            return Findings(unproven=reason)
        lacking = journalled - seen.keys()
        others = {key: found for key, found in repeated.items() if not self.working_set.carries(key)}
        is_incomplete = bool(lacking) and self._finds_lacking(lacking, newest)
        if not (self._finds_doubts() or is_incomplete):
            return Findings(repeated=others)
        log.warning("The list lacks numbers that exist: each number of this run is asked for by itself.")
        return Findings(repeated=others, unproven_keys=self._ask_for_pending())

    def _are_gone(self, journalled: AbstractSet[str], newest: list[str], control: str) -> bool:
        """Whether all numbers of a small journal are proven to be gone, by asking for each.

        :param control: a number of the list. Only while it is found by asking, "not found" proves anything.
        """
        numbers = [number for number in newest if is_plain_number(number)]
        if not control or {normalize_number(number) for number in numbers} != journalled:
            return False
        return self._finds_known([control]) and not self._finds_known(numbers)

    def _finds_lacking(self, lacking: AbstractSet[str], newest: Iterable[str]) -> bool:
        """Ask for numbers that the list lacks: those of the run, and of the others the newest."""
        mine = {document.key: document for document in self.working_set.pending() if document.key in lacking}
        others = [number for number in newest if normalize_number(number) in lacking - mine.keys()]
        found = [self._ask(document.number, document) for document in mine.values()]
        return any(found + [self._ask(number) for number in others])

    def _finds_doubts(self) -> bool:
        """Ask for what was sent without a reliable response, and is not in the list.

        :returns: whether one was found that the list must have shown, because its settle time was over.
        """
        is_incomplete = False
        for key, row in self.open_rows.items():
            if not self.working_set.booked(key):
                found = self._ask(row.number, self.working_set.document(key))
                is_incomplete |= found and not row.is_alive(self.started)
        return is_incomplete

    def _ask(self, number: str, document: D | None = None) -> bool:
        """Ask for one number by itself, and keep what is found.

        :param document: of the run, which can also be found by its day where no path can carry its number.
        :returns: whether something was found.
        """
        entities: Iterable[Entity] = ()
        if is_plain_number(number):
            with suppress(NotFoundError):
                entities = [self.kind.get_booked(number)]
        elif document is not None and not self.kind.overwrites:
            entities = self.kind.find_booked(document)
        found = False
        for entity in entities:
            self._keep(entity, self.kind.to_booked(entity))
            found = True
        return found

    def _ask_for_pending(self) -> frozenset[str]:
        """Ask for each number of the run that was not found; return the keys that cannot be asked for."""
        numbers = {key: row.number for key, row in self.open_rows.items()}
        numbers |= {document.key: document.number for document in self.working_set.pending()}
        unproven = set()
        for key, number in numbers.items():
            if self.working_set.booked(key):
                continue
            if is_plain_number(number):
                self._ask(number)
            else:
                unproven.add(key)
        return frozenset(unproven)

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
            self._ask(number)
        log.info("Looked %d numbers up in the books.", len(numbers))
        return True

    def _finds_known(self, known: Iterable[str]) -> bool:
        for number in filter(is_plain_number, known):
            with suppress(NotFoundError):
                self.kind.get_booked(number)
                return True
        return False

    def _keep(self, entity: Entity, booked: BookedDocument) -> None:
        if booked.is_among(comparison.booked for comparison in self.working_set.booked(booked.key)):
            return
        document = self.working_set.document(booked.key)
        if document is not None:
            self.working_set.add_booked(self.kind.compare(document, entity))
        elif booked.key in self.open_rows or self.working_set.carries(booked.key):
            self.working_set.add_booked(Comparison(booked, unchecked=("everything",)))
