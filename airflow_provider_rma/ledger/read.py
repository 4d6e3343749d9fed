"""Reading the postings of one window: a stream, batch by batch, with running sums."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import IncompleteAnswerError, RequestError
from airflow_provider_rma.ledger.arrow import PostingBatches
from airflow_provider_rma.ledger.changes import Vouchers
from airflow_provider_rma.ledger.decode import PostingReader
from airflow_provider_rma.ledger.extras import pyarrow
from airflow_provider_rma.ledger.fingerprint import Fingerprint, Fingerprinter
from airflow_provider_rma.ledger.parts import Part, Plan, StartOverError
from airflow_provider_rma.ledger.proof import ZERO, Postings, UnbalancedVoucher
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs import ContentType
    from airflow_provider_rma.client.stream import RawEntities

log = logging.getLogger(__name__)

#: Before the first posting of any tenant. Left out, the day is "from the beginning" by inference only.
_BEGINNING = date(1900, 1, 1)

#: Seconds between two lines of progress.
_EVERY = 10.0


@dataclass(frozen=True)
class Reading:
    """What came for a window.

    :param postings: what it adds up to.
    :param fingerprints: content by account number, None if it was not asked for.
    :param vouchers: content by voucher, None if it was not asked for.
    """

    postings: Postings
    fingerprints: Mapping[str, Fingerprint] | None = None
    vouchers: Vouchers | None = None


def read_postings(
    client: RunMyAccountsClient,
    plan: Plan,
    batches: PostingBatches,
    write: Callable[[pa.RecordBatch], None],
    content_type: ContentType | None = None,
    *,
    compared: bool = False,
) -> Reading:
    """Stream the postings of a window, all accounts, part by part.

    Openings and closings are not asked for: they are sums of postings, not postings.

    :param plan: the parts; it becomes finer where the service does not give one.
    :param batches: makes rows of the postings.
    :param write: takes each batch. What it was given must be undone if this raises: whether the answer was complete
        shows only at its end.
    :param compared: note the content as well, to compare it with what is loaded.
    :raises StartOverError: an answer ended early after some of it was written, or not as many postings came as were
        announced. To be called again, with the same plan.
    :raises RequestError: as of the client, for a part that cannot be made smaller.
    :raises UnexpectedAnswerError: for a posting outside of the window, or without account, voucher or amount.
    """
    reading = _Read(client, plan, batches, write, content_type, compared=compared)
    index = 0
    while index < len(plan.parts):
        index += reading.part(plan.parts[index])
    return reading.result()


class _Read:
    """One reading of a window."""

    def __init__(
        self,
        client: RunMyAccountsClient,
        plan: Plan,
        batches: PostingBatches,
        write: Callable[[pa.RecordBatch], None],
        content_type: ContentType | None,
        *,
        compared: bool,
    ) -> None:
        self._client, self._plan, self._batches = client, plan, batches
        self._write, self._content_type = write, content_type
        self._fingerprints = Fingerprinter() if compared else None
        self._vouchers = Vouchers() if compared else None
        self._sums, self._progress = _Sums(), _Progress(plan.window)
        self._count = 0
        self._announced: int | None = 0

    def part(self, part: Part) -> bool:
        """Read a part; False if smaller ones have taken its place."""
        try:
            source = self._open(part)
        except RequestError as error:
            self._plan.refine(part, error)
            return False
        try:
            with source:
                self._take(PostingReader(source, self._batches))
        except IncompleteAnswerError as error:
            self._plan.broke_off(part, error)
            raise StartOverError(str(error)) from error
        return True

    def result(self) -> Reading:
        postings = Postings(self._count, self._announced, self._sums.accounts, self._sums.unbalanced())
        return Reading(postings, self._fingerprints.result() if self._fingerprints else None, self._vouchers)

    def _open(self, part: Part) -> RawEntities:
        self._plan.calls += 1
        return self._client.open_transactions(
            part.accounts,
            from_date=part.start,
            to_date=part.end,
            include_openings=False,
            include_closings=False,
            content_type=self._content_type,
        )

    def _take(self, reader: PostingReader) -> None:
        for batch in reader:
            self._sums.add(batch)
            if self._fingerprints is not None and self._vouchers is not None:
                self._fingerprints.add(batch)
                self._vouchers.add(batch)
            self._write(batch)
            self._progress.tell(self._count + reader.count, reader.announced if not self._count else None)
        self._count += reader.count
        if self._announced is not None:
            self._announced = None if reader.announced is None else self._announced + reader.announced


def total_of_account(
    client: RunMyAccountsClient, accno: str, last: date, content_type: ContentType | None = None
) -> Decimal:
    """Raw sum of all postings of one account, in CHF.

    :param last: last day, inclusive.
    """
    with client.iter_transactions(
        accno,
        from_date=_BEGINNING,
        to_date=last,
        include_openings=False,
        include_closings=False,
        content_type=content_type,
    ) as stream:
        return sum((posting["amount"] for posting in stream if posting.get("amount") is not None), ZERO)


class _Sums:
    """Running sums of the accounts, and of the vouchers that are not balanced at the moment.

    Postings come by date and reference, so a voucher's lines are near each other and few are open at a time.

    :ivar accounts: raw sum by account number.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, Decimal] = {}
        self._open: dict[tuple[str, int], tuple[Decimal, str]] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        rows = pyarrow().Table.from_batches([batch])
        self._add_accounts(rows.select(["accno", "amount"]))
        self._add_vouchers(rows.select(["module", "voucher_id", "amount", "reference"]))

    def _add_accounts(self, rows: pa.Table) -> None:
        grouped = rows.group_by("accno", use_threads=False).aggregate([("amount", "sum")])
        sums = zip(grouped.column("accno").to_pylist(), grouped.column("amount_sum").to_pylist(), strict=True)
        for accno, amount in sums:
            self.accounts[accno] = self.accounts.get(accno, ZERO) + amount

    def _add_vouchers(self, rows: pa.Table) -> None:
        pc = pyarrow("pyarrow.compute")
        grouped = rows.group_by(["module", "voucher_id"], use_threads=False).aggregate(
            [("amount", "sum"), ("reference", "last")]
        )
        # What is balanced within the batch changes nothing.
        moved = grouped.filter(pc.not_equal(grouped.column("amount_sum"), Decimal(0)))
        columns = (moved.column(name).to_pylist() for name in ("module", "voucher_id", "amount_sum", "reference_last"))
        for module, voucher_id, amount, reference in zip(*columns, strict=True):
            voucher = module or "", voucher_id
            total = self._open.get(voucher, (ZERO, ""))[0] + amount
            if total:
                self._open[voucher] = total, reference or ""
            else:
                self._open.pop(voucher, None)

    def unbalanced(self) -> tuple[UnbalancedVoucher, ...]:
        return tuple(
            UnbalancedVoucher(module, voucher_id, reference, total)
            for (module, voucher_id), (total, reference) in self._open.items()
        )


class _Progress:
    def __init__(self, window: Window) -> None:
        self._window, self._next = window, time.monotonic() + _EVERY

    def tell(self, count: int, announced: int | None) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        of = f" of {announced:,}" if announced is not None else ""
        log.info("%s: %s%s postings read.", self._window, f"{count:,}", of)
