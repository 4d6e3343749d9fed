"""Rebuilding of a lost journal from the recovery tags that this provider leaves in ``intnotes``."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_rma.billing.booked import BookedDocument, BookedInvoice
from airflow_provider_rma.billing.journal.model import ImportCounts
from airflow_provider_rma.billing.journal.store import Journal

log = logging.getLogger(__name__)

#: A tag is the last line. RMA may break lines in its own way, and people may leave blanks after it.
_TAG = re.compile(r"(?:\A|[\r\n])[ \t]*\[rma ([0-9a-f]{16})\]\s*\Z")


@dataclass
class RebuildResult:
    """Result of a rebuild.

    :param read: invoices in the books.
    :param tagged: how many of them carry a recovery tag.
    :param imported: what the journal made of these.
    """

    read: int = 0
    tagged: int = 0
    imported: ImportCounts = field(default_factory=ImportCounts)


def find_recovery_tag(intnotes: str | None) -> str | None:
    """Find the recovery tag at the end of an invoice's ``intnotes``.

    :returns: its 16 hexadecimal digits, None if there is no tag.
    """
    found = _TAG.search(intnotes or "")
    return found.group(1) if found else None


def rebuild_journal(invoices: Iterable[Mapping[str, Any]], journal: Journal) -> RebuildResult:
    """Record every invoice in the books that carries a recovery tag. Nothing is sent.

    What the lost journal knew beyond the books does not come back: what was in doubt, and what was booked without a
    tag.

    :param invoices: all invoices of the tenant as read from RMA, read once. If they cannot be read to their end, what
        was recorded until then is right and stays.
    :param journal: the tenant's journal of invoices.
    """
    result = RebuildResult()
    note = "rebuilt from the books by its recovery tag"
    result.imported = journal.import_many(_select_tagged(invoices, result), note=note)
    log.info("Read %d invoices, %d of them with a recovery tag.", result.read, result.tagged)
    return result


def _select_tagged(
    invoices: Iterable[Mapping[str, Any]], result: RebuildResult
) -> Iterator[tuple[BookedDocument, str]]:
    for entity in invoices:
        result.read += 1
        tag = find_recovery_tag(entity.get("intnotes"))
        if tag and entity.get("invnumber"):
            result.tagged += 1
            yield BookedInvoice.from_rma(entity), tag
