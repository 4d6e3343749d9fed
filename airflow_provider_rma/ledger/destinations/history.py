"""What a replacement of a window supersedes: the postings whose content is no longer there.

Content is what a fingerprint covers (:mod:`airflow_provider_rma.ledger.fingerprint`), so a voucher that was saved again
without a change supersedes nothing although its lines have new numbers. Of equal lines, as many are superseded as there
are fewer now.

In memory are 64 bits of hash and of time per posting of the window; the postings themselves pass in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger.destinations import tables
from airflow_provider_rma.ledger.extras import pyarrow
from airflow_provider_rma.ledger.fingerprint import row_hashes

if TYPE_CHECKING:
    import pyarrow as pa


def kept_schema() -> pa.Schema:
    """Columns of the postings of a warehouse with history: those of the contract, and since when the content is
    known."""
    return tables.schema("postings").append(tables.schema("postings_history").field("valid_from"))


class Arrivals:
    """Hashes of the postings that a window will have."""

    def __init__(self) -> None:
        self._parts: list[Any] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in some of them."""
        self._parts.append(row_hashes(batch))

    def hashes(self) -> pa.UInt64Array:
        """One hash per posting."""
        pa = pyarrow()
        return pa.concat_arrays(self._parts) if self._parts else pa.array([], pa.uint64())


class Replacement:
    """One window, before and after.

    :param read: gives the postings as they are loaded now, with the columns of :func:`kept_schema`; called twice.
    :param loads: when each load of the window was finished. A posting that was loaded while no history was kept is
        known since then.
    :param arriving: hashes of the postings to come.
    :param moment: when those were read.
    """

    def __init__(
        self,
        read: Callable[[], Iterator[pa.RecordBatch]],
        loads: dict[str, datetime],
        arriving: pa.UInt64Array,
        moment: datetime,
    ) -> None:
        self._read, self._moment = read, moment
        pa = pyarrow()
        self._names = pa.array(list(loads), pa.string())
        self._times = pa.array(list(loads.values()), _time())
        self._known = self._present()
        self._surplus = _surplus(self._known, arriving)

    def superseded(self, load_id: str) -> Iterator[pa.RecordBatch]:
        """The postings that vanish, as rows of ``postings_history``.

        :param load_id: the load that supersedes them.
        """
        pa, pc = pyarrow(), pyarrow("pyarrow.compute")
        if not self._surplus.num_rows:
            return
        counts = self._surplus.column("count").combine_chunks()
        whole = self._surplus.column("all").combine_chunks()
        hashes = self._surplus.column("hash").combine_chunks()
        gone = hashes.filter(whole)
        some = pc.invert(whole)
        left = dict(zip(hashes.filter(some).to_pylist(), counts.filter(some).to_pylist(), strict=True))
        schema = tables.schema("postings_history")
        for batch in self._read():
            mask = _mask(row_hashes(batch), gone, left)
            found = batch.set_column(batch.num_columns - 1, "valid_from", self._since(batch)).filter(mask)
            if found.num_rows:
                moments = pa.repeat(pa.scalar(self._moment, _time()), found.num_rows)
                names = pa.repeat(pa.scalar(load_id, pa.string()), found.num_rows)
                yield pa.RecordBatch.from_arrays([*found.columns, moments, names], schema=schema)

    def dated(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Arriving postings with ``valid_from``: when their content was first seen, now if it is new."""
        pa, pc = pyarrow(), pyarrow("pyarrow.compute")
        hashes = self._known.column("hash").combine_chunks()
        since = self._known.column("since").combine_chunks()
        now = pa.scalar(self._moment, _time())
        for batch in batches:
            found = pc.take(since, pc.index_in(row_hashes(batch), value_set=hashes))
            yield pa.RecordBatch.from_arrays([*batch.columns, pc.fill_null(found, now)], schema=kept_schema())

    def _present(self) -> Any:
        """By hash: how many postings there are, and since when."""
        pa = pyarrow()
        parts = [pa.table({"hash": row_hashes(batch), "since": self._since(batch)}) for batch in self._read()] or [
            pa.table({"hash": pa.array([], pa.uint64()), "since": pa.array([], _time())})
        ]
        grouped = pa.concat_tables(parts).group_by("hash").aggregate([("since", "min"), ("hash", "count")])
        return pa.table({"hash": grouped["hash"], "since": grouped["since_min"], "count": grouped["hash_count"]})

    def _since(self, batch: Any) -> Any:
        pc = pyarrow("pyarrow.compute")
        by_load = pc.take(self._times, pc.index_in(batch.column("load_id"), value_set=self._names))
        return pc.fill_null(pc.coalesce(batch.column("valid_from"), by_load), self._moment)


def _time() -> Any:
    return tables.schema("postings_history").field("valid_from").type


def _surplus(known: Any, arriving: Any) -> Any:
    """The hashes of which there will be fewer: how many fewer, and whether that is all."""
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    counted = arriving.value_counts()
    place = pc.index_in(known.column("hash").combine_chunks(), value_set=counted.field("values"))
    there = pc.fill_null(pc.take(counted.field("counts"), place), 0)
    before = known.column("count").combine_chunks()
    table = pa.table(
        {"hash": known.column("hash"), "count": pc.subtract(before, there), "all": pc.equal(there, 0)},
    )
    return table.filter(pc.greater(table.column("count"), 0))


def _mask(hashes: Any, gone: Any, left: dict[int, int]) -> Any:
    """Which postings go. ``left``: of how many equal ones, of those that stay in part; counted down here."""
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    mask = pc.is_in(hashes, value_set=gone)
    if not left:
        return mask
    picked = []
    for one in hashes.to_pylist():
        picked.append(left.get(one, 0) > 0)
        if picked[-1]:
            left[one] -= 1
    return pc.or_(mask, pa.array(picked, pa.bool_()))
