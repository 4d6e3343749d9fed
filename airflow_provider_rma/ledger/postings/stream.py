"""Reading the postings of one window: a stream, batch by batch, with running sums."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Self

from airflow_provider_rma.exceptions import IncompleteResponseError, RequestError, ResponseTooLargeError
from airflow_provider_rma.formatting import format_count
from airflow_provider_rma.ledger._pyarrow import pa, pc
from airflow_provider_rma.ledger.fingerprint import Fingerprint, Fingerprinter
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.decode.reader import PostingReader
from airflow_provider_rma.ledger.postings.slices import RestartMonthError, Slice, SlicePlan
from airflow_provider_rma.ledger.proof.balances import BEGINNING, ZERO
from airflow_provider_rma.ledger.proof.prove import PostingTotals, UnbalancedVoucher
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.client.stream import RawResponse

log = logging.getLogger(__name__)


#: Seconds between two lines of progress.
_EVERY = 10.0


@dataclass(frozen=True)
class ReadResult:
    """A window that was read.

    :param postings: what it adds up to.
    :param fingerprints: content by account number, None if it was not asked for.
    """

    postings: PostingTotals
    fingerprints: Mapping[str, Fingerprint] | None = None


class RawPostings:
    """The responses with the postings of a window, slice by slice; each has arrived whole. A context manager."""

    def __init__(self) -> None:
        self.responses: list[tuple[Slice, RawResponse]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, response in self.responses:
            response.close()


def receive_postings(
    client: RunMyAccountsClient, plan: SlicePlan, content_type: ContentType | None = None
) -> RawPostings:
    """Ask for the postings of a window, all accounts, slice by slice. They wait in temporary files if they are large.

    Openings and closings are not asked for: they are sums of postings, not postings.

    :param plan: the slices; it becomes finer where the service does not send one.
    :raises RequestError: see :class:`~airflow_provider_rma.client.client.RunMyAccountsClient`; for a slice that cannot
        be made smaller.
    """
    received = RawPostings()
    with ExitStack() as undo:
        undo.push(received)
        while len(received.responses) < len(plan.slices):
            slice_ = plan.slices[len(received.responses)]
            plan.calls += 1
            try:
                response = client.open_transactions(
                    slice_.accounts,
                    from_date=slice_.start,
                    to_date=slice_.end,
                    include_openings=False,
                    include_closings=False,
                    content_type=content_type,
                )
            except RequestError as error:
                plan.refine(slice_, error)
                continue
            received.responses.append((slice_, response))
            if plan.is_split:
                # Many small responses would be much together.
                response.to_disk()
        undo.pop_all()
    return received


def read_postings(
    received: RawPostings,
    plan: SlicePlan,
    batches: PostingBatches,
    write: Callable[[pa.RecordBatch], None],
    *,
    compared: bool = False,
) -> ReadResult:
    """Stream the postings of a window.

    :param plan: notes the slices that break off.
    :param batches: makes rows of the postings.
    :param write: takes each batch. What it received must be undone if this raises: whether the response was
        complete shows only at its end.
    :param compared: note the content as well, to compare it with what is loaded.
    :raises RestartMonthError: a response ended early. Ask for them again, with the same plan.
    :raises RequestError: if a response broke off again that cannot be made smaller, or contradicts its own count.
    :raises UnexpectedResponseError: for a posting outside of the window, or without account, voucher or amount.
    """
    reading = _MonthReader(plan.window, write, compared=compared)
    for slice_, response in received.responses:
        try:
            reading.take(PostingReader(response, batches))
        except IncompleteResponseError as error:
            if error.is_miscounted:
                raise
            plan.note_broken_off(slice_, error)
            raise RestartMonthError(str(error)) from error
        except ResponseTooLargeError as error:
            plan.refine(slice_, error)
            raise RestartMonthError(str(error)) from error
    return reading.result()


class _MonthReader:
    def __init__(self, window: Window, write: Callable[[pa.RecordBatch], None], *, compared: bool) -> None:
        self._write = write
        self._fingerprints = Fingerprinter() if compared else None
        self._sums, self._progress = _RunningSums(), _ProgressLog(window)
        self._count = 0
        self._announced: int | None = 0
        self._entries: list[pa.Array] = []

    def result(self) -> ReadResult:
        postings = PostingTotals(
            self._count, self._announced, self._sums.accounts, self._sums.unbalanced(), _doubled(self._entries)
        )
        return ReadResult(postings, self._fingerprints.result() if self._fingerprints else None)

    def take(self, reader: PostingReader) -> None:
        for batch in reader:
            self._sums.add(batch)
            self._entries.append(batch.column("entry_id").drop_null())
            if self._fingerprints is not None:
                self._fingerprints.add(batch)
            self._write(batch)
            self._progress.log(self._count + reader.count, reader.announced if not self._count else None)
        self._count += reader.count
        if self._announced is not None:
            self._announced = None if reader.announced is None else self._announced + reader.announced


def total_of_account(
    client: RunMyAccountsClient, accno: str, last: date, content_type: ContentType | None = None
) -> Decimal:
    """Sum all postings of one account, raw, in CHF.

    :param last: last day, inclusive.
    """
    with client.iter_transactions(
        accno,
        from_date=BEGINNING,
        to_date=last,
        include_openings=False,
        include_closings=False,
        content_type=content_type,
    ) as stream:
        return sum((posting["amount"] for posting in stream if posting.get("amount") is not None), ZERO)


def _doubled(entries: list[pa.Array]) -> tuple[int, ...]:
    """Find the line numbers that came more than once; 0 numbers nothing."""
    if not entries:
        return ()
    ordered = pa.concat_arrays(entries).sort()
    equal = pc.equal(ordered.slice(1), ordered.slice(0, max(len(ordered) - 1, 0)))
    found = ordered.slice(1).filter(equal).unique().to_pylist()
    return tuple(number for number in found if number)


class _RunningSums:
    """Running sums of the accounts, and of the vouchers that are not balanced at the moment.

    Postings come by date and reference, so a voucher's lines are near each other and few are open at a time.

    :ivar accounts: raw sum by account number.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, Decimal] = {}
        self._open: dict[tuple[str, int], tuple[Decimal, str]] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        rows = pa.Table.from_batches([batch])
        self._add_accounts(rows.select(["accno", "amount"]))
        self._add_vouchers(rows.select(["module", "voucher_id", "amount", "reference"]))

    def _add_accounts(self, rows: pa.Table) -> None:
        grouped = rows.group_by("accno", use_threads=False).aggregate([("amount", "sum")])
        sums = zip(grouped.column("accno").to_pylist(), grouped.column("amount_sum").to_pylist(), strict=True)
        for accno, amount in sums:
            self.accounts[accno] = self.accounts.get(accno, ZERO) + amount

    def _add_vouchers(self, rows: pa.Table) -> None:
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


class _ProgressLog:
    def __init__(self, window: Window) -> None:
        self._window, self._next = window, time.monotonic() + _EVERY

    def log(self, count: int, announced: int | None) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        of = f" of {format_count(announced)}" if announced is not None else ""
        log.info("%s: %s%s postings read.", self._window, format_count(count), of)
