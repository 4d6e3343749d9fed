"""Rebuilding of a lost journal from the recovery tags that this provider leaves in ``intnotes``."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from airflow_provider_rma.billing.booked import BookedDocument, BookedInvoice
from airflow_provider_rma.billing.journal.model import ImportCounts
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import FIRST_DAY, LAST_DAY
from airflow_provider_rma.client.client import RunMyAccountsClient

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


def rebuild_journal(client: RunMyAccountsClient, journal: Journal) -> RebuildResult:
    """Record every invoice in the books that carries a recovery tag. Nothing is sent.

    What the lost journal knew beyond the books does not come back: what was in doubt, and what was booked without a
    tag.

    :param journal: the tenant's journal of invoices.
    :raises RequestError: if the list cannot be read to its end; what was recorded until then is right and stays.
    """
    result = RebuildResult()
    result.imported = journal.import_many(
        _read_tagged(client, result), note="rebuilt from the books by its recovery tag"
    )
    log.info("Read %d invoices, %d of them with a recovery tag.", result.read, result.tagged)
    return result


def _read_tagged(client: RunMyAccountsClient, result: RebuildResult) -> Iterator[tuple[BookedDocument, str]]:
    for entity in client.iter_invoices(from_date=FIRST_DAY, to_date=LAST_DAY):
        result.read += 1
        tag = find_recovery_tag(entity.get("intnotes"))
        if tag and entity.get("invnumber"):
            result.tagged += 1
            yield BookedInvoice.from_rma(entity), tag
