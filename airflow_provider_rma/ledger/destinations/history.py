"""What a replacement of a window supersedes: the postings whose content is no longer there.

Content is what a fingerprint covers (:mod:`airflow_provider_rma.ledger.fingerprint`), so a voucher that was saved again
without a change supersedes nothing although its lines have new numbers. Of equal lines, as many are superseded as there
are fewer now, the newest first.

In memory are 64 bits of hash and of time per posting of the window; the postings themselves pass in batches. Only equal
postings, which are few, become Python objects, and these are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger._pyarrow import pyarrow
from airflow_provider_rma.ledger.fingerprint import row_hashes

if TYPE_CHECKING:
    import pyarrow as pa


def kept_schema() -> pa.Schema:
    """Columns of the postings of a warehouse with history: those of the contract, and since when the content is
    known."""
    return contract.schema("postings").append(contract.schema("postings_history").field("valid_from"))


class IncomingHashes:
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


class Supersession:
    """One window, before and after.

    Of equal postings, those stay that are known longest, and what comes in addition is known since now; otherwise the
    warehouse would say of an earlier moment that there were more of them, or fewer.

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
        pa, pc = pyarrow(), pyarrow("pyarrow.compute")
        self._names = pa.array(list(loads), pa.string())
        self._times = pa.array(list(loads.values()), _time())
        rows = self._present()
        known = rows.group_by("hash").aggregate([("since", "min"), ("hash", "count")]).combine_chunks()
        hashes, since, before = (known.column(name).combine_chunks() for name in ("hash", "since_min", "hash_count"))
        counted = arriving.value_counts()
        after = pc.fill_null(
            pc.take(counted.field("counts"), pc.index_in(hashes, value_set=counted.field("values"))), 0
        )
        several = pc.or_(pc.greater(before, 1), pc.greater(after, 1))
        single = pc.invert(several)
        self._hashes, self._since_of = hashes.filter(single), since.filter(single)
        self._gone = hashes.filter(pc.and_(single, pc.equal(after, 0)))
        self._staying, self._going = _shared_out(
            rows, dict(zip(hashes.filter(several).to_pylist(), after.filter(several).to_pylist(), strict=True))
        )

    def superseded(self, load_id: str) -> Iterator[pa.RecordBatch]:
        """The postings that vanish, as rows of ``postings_history``.

        :param load_id: the load that supersedes them.
        """
        pa = pyarrow()
        going = {one: list(times) for one, times in self._going.items() if times}
        if not going and not len(self._gone):
            return
        schema = contract.schema("postings_history")
        for batch in self._read():
            since = self._since(batch)
            mask = self._mask(row_hashes(batch), since, going)
            found = batch.set_column(batch.num_columns - 1, "valid_from", since).filter(mask)
            if found.num_rows:
                moments = pa.repeat(pa.scalar(self._moment, _time()), found.num_rows)
                names = pa.repeat(pa.scalar(load_id, pa.string()), found.num_rows)
                yield pa.RecordBatch.from_arrays([*found.columns, moments, names], schema=schema)

    def dated(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Arriving postings with ``valid_from``: when their content was first seen, now if it is new."""
        pa, pc = pyarrow(), pyarrow("pyarrow.compute")
        staying = {one: list(times) for one, times in self._staying.items()}
        several = pa.array(list(staying), pa.uint64())
        now = pa.scalar(self._moment, _time())
        for batch in batches:
            hashes = row_hashes(batch)
            found = pc.take(self._since_of, pc.index_in(hashes, value_set=self._hashes))
            mask = pc.is_in(hashes, value_set=several)
            times = [staying[one].pop(0) if staying[one] else None for one in hashes.filter(mask).to_pylist()]
            found = pc.replace_with_mask(found, mask, pa.array(times, pa.int64()).cast(_time()))
            yield pa.RecordBatch.from_arrays([*batch.columns, pc.fill_null(found, now)], schema=kept_schema())

    def _present(self) -> Any:
        """Hash of each posting that is loaded now, and since when it is known."""
        pa = pyarrow()
        parts = [pa.table({"hash": row_hashes(batch), "since": self._since(batch)}) for batch in self._read()]
        none = pa.table({"hash": pa.array([], pa.uint64()), "since": pa.array([], _time())})
        return pa.concat_tables([none, *parts])

    def _since(self, batch: Any) -> Any:
        pc = pyarrow("pyarrow.compute")
        by_load = pc.take(self._times, pc.index_in(batch.column("load_id"), value_set=self._names))
        return pc.fill_null(pc.coalesce(batch.column("valid_from"), by_load), self._moment)

    def _mask(self, hashes: Any, since: Any, going: dict[int, list[int]]) -> Any:
        """Which postings go. ``going``: since when those of several equal ones are known that go; used up here."""
        pa, pc = pyarrow(), pyarrow("pyarrow.compute")
        mask = pc.is_in(hashes, value_set=self._gone)
        several = pc.is_in(hashes, value_set=pa.array(list(going), pa.uint64()))
        picked = []
        moments = since.cast(pa.int64()).filter(several).to_pylist()
        for one, moment in zip(hashes.filter(several).to_pylist(), moments, strict=True):
            picked.append(moment in going[one])
            if picked[-1]:
                going[one].remove(moment)
        return pc.replace_with_mask(mask, several, pa.array(picked, pa.bool_()))


def _shared_out(rows: Any, after: dict[int, int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Since when those of equal postings are known that stay, and those that go; microseconds, ascending.

    :param rows: hash and time of each posting.
    :param after: how many there will be, by hash.
    """
    pa, pc = pyarrow(), pyarrow("pyarrow.compute")
    found = rows.filter(pc.is_in(rows.column("hash"), value_set=pa.array(list(after), pa.uint64())))
    times: dict[int, list[int]] = {one: [] for one in after}
    moments = found.column("since").cast(pa.int64()).to_pylist()
    for one, moment in zip(found.column("hash").to_pylist(), moments, strict=True):
        times[one].append(moment)
    ordered = {one: sorted(moments) for one, moments in times.items()}
    return (
        {one: moments[: after[one]] for one, moments in ordered.items()},
        {one: moments[after[one] :] for one, moments in ordered.items()},
    )


def _time() -> Any:
    return contract.schema("postings_history").field("valid_from").type
