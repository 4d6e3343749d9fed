"""Rebuild a lost journal from the books, by the marks that this provider leaves in ``intnotes``."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_rma.billing.journal.model import Found, ImportCounts
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.lookup import FIRST_DAY, LAST_DAY
from airflow_provider_rma.client.client import RunMyAccountsClient

log = logging.getLogger(__name__)

#: A mark stands on the last line. RMA may break lines in its own way, and people may leave blanks behind it.
_MARK = re.compile(r"(?:\A|[\r\n])[ \t]*\[rma ([0-9a-f]{16})\]\s*\Z")


@dataclass
class Rebuilt:
    """What a rebuild found.

    :param read: invoices in the books.
    :param marked: how many of them carry a mark.
    :param adoption: what the journal made of these.
    """

    read: int = 0
    marked: int = 0
    adoption: ImportCounts = field(default_factory=ImportCounts)


def mark_of(intnotes: str | None) -> str | None:
    """The 16 hexadecimal digits of the mark at the end of an invoice's ``intnotes``, None if there is none."""
    found = _MARK.search(intnotes or "")
    return found.group(1) if found else None


def rebuild(client: RunMyAccountsClient, journal: Journal) -> Rebuilt:
    """Journal every invoice in the books that carries a mark. Nothing is sent.

    What the lost journal knew beyond the books does not come back: what was in doubt, and what was booked without a
    mark.

    :param journal: the tenant's journal of invoices.
    :raises RequestError: if the list cannot be read to its end; what was journalled until then is right and stays.
    """
    result = Rebuilt()
    result.adoption = journal.adopt_many(_marked(client, result), note="rebuilt from the books by its mark")
    log.info("Read %d invoices, %d of them with a mark.", result.read, result.marked)
    return result


def _marked(client: RunMyAccountsClient, result: Rebuilt) -> Iterator[Found]:
    for booked in client.iter_invoices(from_date=FIRST_DAY, to_date=LAST_DAY):
        result.read += 1
        mark = mark_of(booked.get("intnotes"))
        if mark and booked.get("invnumber"):
            result.marked += 1
            yield _found(booked, mark)


def _found(booked: Mapping[str, Any], mark: str) -> Found:
    document_id = booked.get("id")
    return Found(
        number=str(booked["invnumber"]),
        content_hash=mark,
        document_id=None if document_id is None else str(document_id),
        net=booked.get("netamount"),
        gross=booked.get("amount"),
        currency=str(booked.get("currency") or "CHF"),
    )
