"""What a replacement of a window supersedes: the postings whose content is no longer there.

Content is what a fingerprint covers (:mod:`airflow_provider_rma.ledger.fingerprint`), so a voucher that was saved again
without a change supersedes nothing although its lines have new numbers. If a line occurred n times and now occurs m < n
times, the n - m newest are superseded.

In memory are 64 bits of hash and of time per posting of the window; the postings themselves pass in batches. Only equal
postings, which are few, become Python objects, and these are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from airflow_provider_rma.ledger._pyarrow import pa, pc
from airflow_provider_rma.ledger.arrow_schemas import ARROW_TYPES, dated_postings, schema
from airflow_provider_rma.ledger.fingerprint import row_hashes

_TIME = ARROW_TYPES["time"]

#: By hash of equal postings: since when each of them is known, in microseconds, ascending.
_Times = dict[int, list[int]]


class IncomingHashes:
    """Hashes of the postings that a window will have."""

    def __init__(self) -> None:
        self._parts: list[pa.UInt64Array] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the hashes of some postings."""
        self._parts.append(row_hashes(batch))

    def result(self) -> pa.UInt64Array:
        """Return one hash per posting."""
        return pa.concat_arrays(self._parts) if self._parts else pa.array([], pa.uint64())


class Supersession:
    """One window, before and after.

    Of equal postings, those stay that are known longest, and additional ones are known since now; otherwise the
    warehouse would say of an earlier moment that there were more of them, or fewer.

    :param read: reads the postings as they are loaded now, in :func:`.dated_postings`; called twice.
    :param loads: when each load of the window was finished, by load id. A posting that was loaded while no history was
        kept is known since then.
    :param incoming: hashes of the postings to come.
    :param moment: when those were read.
    """

    def __init__(
        self,
        read: Callable[[], Iterator[pa.RecordBatch]],
        loads: Mapping[str, datetime],
        incoming: pa.UInt64Array,
        moment: datetime,
    ) -> None:
        self._read, self._moment = read, moment
        self._load_ids = pa.array(list(loads), pa.string())
        self._load_times = pa.array(list(loads.values()), _TIME)
        rows = self._read_hashes()
        known = rows.group_by("hash").aggregate([("since", "min"), ("hash", "count")]).combine_chunks()
        hashes, since, before = (known.column(name).combine_chunks() for name in ("hash", "since_min", "hash_count"))
        counted = incoming.value_counts()
        after = pc.fill_null(
            pc.take(counted.field("counts"), pc.index_in(hashes, value_set=counted.field("values"))), 0
        )
        several = pc.or_(pc.greater(before, 1), pc.greater(after, 1))
        single = pc.invert(several)
        self._hashes, self._since_of_hash = hashes.filter(single), since.filter(single)
        self._gone = hashes.filter(pc.and_(single, pc.equal(after, 0)))
        self._staying, self._going = _split_by_age(
            rows, dict(zip(hashes.filter(several).to_pylist(), after.filter(several).to_pylist(), strict=True))
        )

    def superseded_batches(self, load_id: str) -> Iterator[pa.RecordBatch]:
        """Read the postings that vanish, as rows of ``postings_history``.

        :param load_id: the load that supersedes them.
        """
        going = {digest: list(times) for digest, times in self._going.items() if times}
        if not going and not len(self._gone):
            return
        for batch in self._read():
            since = self._known_since(batch)
            mask = self._mask_going(row_hashes(batch), since, going)
            found = batch.set_column(batch.num_columns - 1, "valid_from", since).filter(mask)
            if found.num_rows:
                moments = pa.repeat(pa.scalar(self._moment, _TIME), found.num_rows)
                load_ids = pa.repeat(pa.scalar(load_id, pa.string()), found.num_rows)
                yield pa.RecordBatch.from_arrays([*found.columns, moments, load_ids], schema=schema("postings_history"))

    def dated_batches(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Add ``valid_from`` to the incoming postings: when their content was first seen, now if it is new."""
        staying = {digest: list(times) for digest, times in self._staying.items()}
        several = pa.array(list(staying), pa.uint64())
        now = pa.scalar(self._moment, _TIME)
        for batch in batches:
            hashes = row_hashes(batch)
            since = pc.take(self._since_of_hash, pc.index_in(hashes, value_set=self._hashes))
            mask = pc.is_in(hashes, value_set=several)
            times = [staying[digest].pop(0) if staying[digest] else None for digest in hashes.filter(mask).to_pylist()]
            since = pc.replace_with_mask(since, mask, pa.array(times, pa.int64()).cast(_TIME))
            yield pa.RecordBatch.from_arrays([*batch.columns, pc.fill_null(since, now)], schema=dated_postings())

    def _read_hashes(self) -> pa.Table:
        """Return the hash of each posting that is loaded now, and since when it is known."""
        parts = [pa.table({"hash": row_hashes(batch), "since": self._known_since(batch)}) for batch in self._read()]
        none = pa.table({"hash": pa.array([], pa.uint64()), "since": pa.array([], _TIME)})
        return pa.concat_tables([none, *parts])

    def _known_since(self, batch: pa.RecordBatch) -> pa.TimestampArray:
        by_load = pc.take(self._load_times, pc.index_in(batch.column("load_id"), value_set=self._load_ids))
        return pc.fill_null(pc.coalesce(batch.column("valid_from"), by_load), self._moment)

    def _mask_going(self, hashes: pa.UInt64Array, since: pa.TimestampArray, going: _Times) -> pa.BooleanArray:
        """Return which postings go.

        :param going: times of those of several equal postings that go; used up here.
        """
        mask = pc.is_in(hashes, value_set=self._gone)
        several = pc.is_in(hashes, value_set=pa.array(list(going), pa.uint64()))
        picked = []
        times = since.cast(pa.int64()).filter(several).to_pylist()
        for digest, time in zip(hashes.filter(several).to_pylist(), times, strict=True):
            picked.append(time in going[digest])
            if picked[-1]:
                going[digest].remove(time)
        return pc.replace_with_mask(mask, several, pa.array(picked, pa.bool_()))


def _split_by_age(rows: pa.Table, after: dict[int, int]) -> tuple[_Times, _Times]:
    """Return the times of the equal postings that stay, and of those that go.

    :param rows: hash and time of each posting.
    :param after: how many there will be, by hash.
    """
    found = rows.filter(pc.is_in(rows.column("hash"), value_set=pa.array(list(after), pa.uint64())))
    times: _Times = {digest: [] for digest in after}
    for digest, time in zip(
        found.column("hash").to_pylist(), found.column("since").cast(pa.int64()).to_pylist(), strict=True
    ):
        times[digest].append(time)
    ordered = {digest: sorted(moments) for digest, moments in times.items()}
    return (
        {digest: moments[: after[digest]] for digest, moments in ordered.items()},
        {digest: moments[after[digest] :] for digest, moments in ordered.items()},
    )
