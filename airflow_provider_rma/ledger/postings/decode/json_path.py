"""Responses in JSON: piece by piece, so that memory stays flat however long the list is.

A piece is cut between two postings. If what stands before the cut reads as whole postings, the cut was no part of a
text: so a piece is judged by itself. One that has anything but the declared members with texts in them is read the
strict path, posting by posting.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterator
from functools import cache
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Any, Literal

from airflow_provider_rma.client.codecs.bodies import decode, list_items
from airflow_provider_rma.client.stream import announced_count
from airflow_provider_rma.exceptions import RequestError
from airflow_provider_rma.ledger._pyarrow import pa, pc
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.decode.columns import PostingColumns
from airflow_provider_rma.ledger.postings.decode.fields import (
    ITEM,
    ROOT,
    FastPathRefusedError,
    Member,
    ReadProgress,
    leaves,
    members,
)

if TYPE_CHECKING:
    from airflow_provider_rma.client.stream import RawResponse

try:
    import msgspec
except ImportError:
    #: Whether the decoder is installed, as with each extra of a warehouse; else the strict path reads everything.
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

log = logging.getLogger(__name__)

#: Bytes of one piece, about.
PIECE = 4 * 1024 * 1024

#: Bytes of an object on an average. A posting has more than a hundred and up to three objects; shorter ones would be
#: many for their bytes, and each takes a place in every column.
_SHORTEST = 24

_MEMBER = rb'"@?[A-Za-z_]+"\s*:\s*(?:"[ !#-\[\]-~]*"|[0-9]{1,18})'
_HEAD = re.compile(rb"\s*\{\s*((?:" + _MEMBER + rb'\s*,\s*)*)"' + ITEM.encode() + rb'"\s*:\s*\[\s*(?=\{)')
_TAIL = re.compile(rb"\]\s*((?:,\s*" + _MEMBER + rb"\s*)*)\}\s*")
_NAMED = re.compile(rb'"@?([A-Za-z_]+)"\s*:\s*"?([^",\s]*)')
_BETWEEN = re.compile(rb"\}\s*,\s*(?=\{)")
_WINDOW = 64 * 1024


def json_batches(
    source: RawResponse, batches: PostingBatches, progress: ReadProgress
) -> Generator[pa.RecordBatch, None, None]:
    """Make batches of a response in JSON.

    :param progress: how many postings were handed out is kept by the caller; what was announced is put in here.
    :raises FastPathRefusedError: for anything that is not a list of postings.
    """
    columns = PostingColumns(batches)
    with source.reader() as body:
        pieces = _Pieces(body)
        decode_piece = _PieceDecoder(pieces.head)
        for piece in pieces:
            texts = decode_piece(piece)
            yield columns.convert(texts) if texts is not None else _read_strictly(piece, source, batches, progress)
    progress.announced = announced_count(pieces.attributes)
    if progress.announced not in (None, progress.count):
        raise FastPathRefusedError("the announced count does not hold")


def _read_strictly(
    piece: bytes, source: RawResponse, batches: PostingBatches, progress: ReadProgress
) -> pa.RecordBatch:
    """Read a piece by the schema."""
    batches.restart(progress.count)
    try:
        for mapped in list_items(decode(b'{"%b":[%b]}' % (ITEM.encode(), piece), "json", ROOT), ITEM):
            if not isinstance(mapped, dict):
                raise FastPathRefusedError("the list holds something else than postings")
            batches.append(source.convert(mapped))
    except RequestError:
        raise FastPathRefusedError("a posting cannot be read") from None
    return batches.take()


class _Pieces:
    """Cuts the list of postings; what is before and behind it is checked here.

    :ivar attributes: members beside the list, complete at the end.
    """

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self.head = body.read(PIECE)
        start = _HEAD.match(self.head)
        if not start:
            raise FastPathRefusedError("the document does not begin as documented, or has no postings")
        self.attributes: dict[str, str] = {}
        self._take_attributes(start[1])
        self._rest = self.head[start.end() :]

    def __iter__(self) -> Iterator[bytes]:
        rest = self._rest
        while more := self._body.read(PIECE):
            place = self._cut(rest)
            if place is not None:
                yield rest[: place.start() + 1]
                rest = rest[place.end() :]
            elif len(rest) > 2 * PIECE:
                raise FastPathRefusedError("a posting is very long")
            rest += more
        end = rest.rfind(b"]")
        tail = _TAIL.fullmatch(rest[end:] if end >= 0 else b"")
        if not tail:
            raise FastPathRefusedError("the document does not end as documented")
        self._take_attributes(tail[1])
        yield rest[:end]

    @staticmethod
    def _cut(data: bytes) -> re.Match[bytes] | None:
        """The last place between two postings."""
        places = list(_BETWEEN.finditer(data, max(len(data) - _WINDOW, 0)))
        return places[-1] if places else None

    def _take_attributes(self, text: bytes) -> None:
        for name, value in _NAMED.findall(text):
            key = name.decode()
            if key in self.attributes or (key != "number_of_transaction" and b'"@' + name + b'"' not in text):
                raise FastPathRefusedError("the document has something else than the list")
            self.attributes[key] = value.decode()


class _PieceDecoder:
    """Reads pieces in which every value is a text, or nothing.

    :param head: beginning of the document; shows how attributes are written.
    """

    def __init__(self, head: bytes) -> None:
        if not IS_INSTALLED:
            _warn_once()
        self._decoder = _decoder(b'"@accno"' in head or b'"@id"' in head) if IS_INSTALLED else None

    def __call__(self, piece: bytes) -> pa.RecordBatch | None:
        """Its values, one column per leaf; None if the piece has to be read otherwise."""
        # An escaped character may be a colon, see below.
        is_dense = piece.count(b"{") * _SHORTEST > len(piece)
        if self._decoder is None or is_dense or b"\\u" in piece:
            return None
        try:
            postings = self._decoder.decode(b"[%b]" % piece)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            # Text that is not UTF-8 is a ValueError.
            return None
        names, columns = 0, {}
        for member in members():
            values = list(map(attrgetter(member.name), postings))
            names += _count_given(values)
            if member.is_value:
                columns[member.name] = values
                continue
            values = self._without_gaps(member, values)
            for leaf in member.leaves:
                columns[leaf.column] = list(map(attrgetter(leaf.part), values))
                names += _count_given(columns[leaf.column])
            for part in member.opaque:
                names += _count_given(list(map(attrgetter(part), values)))
        return _batch(piece, names, columns)

    @staticmethod
    def _without_gaps(member: Member, values: list[Any]) -> list[Any]:
        kinds = _structs(member)
        if all(isinstance(value, kinds) for value in values):
            return values
        nothing = kinds[0]()
        return [value if isinstance(value, kinds) else nothing for value in values]


def _count_given(values: list[Any]) -> int:
    return len(values) - values.count(msgspec.UNSET)


def _batch(piece: bytes, names: int, columns: dict[str, list[Any]]) -> pa.RecordBatch | None:
    """The columns, unless a name comes twice in an object, which the decoder would not notice.

    Colons stand behind names and in texts: there must be as many as in the texts and names that were read.
    """
    arrays, colons = [], names
    for leaf in leaves():
        values = columns[leaf.column]
        if msgspec.UNSET in values:
            values = [None if value is msgspec.UNSET else value for value in values]
        arrays.append(pa.array(values, pa.string()))
        colons += pc.sum(pc.count_substring(arrays[-1], ":")).as_py() or 0
    if colons != piece.count(b":"):
        return None
    return pa.RecordBatch.from_arrays(arrays, names=[leaf.column for leaf in leaves()])


@cache
def _structs(member: Member) -> tuple[Any, Any]:
    """Types of an inner object: attributes with and without their ``@``."""
    text: Any = str | None | msgspec.UnsetType
    empty: Any = Literal[""] | None | msgspec.UnsetType
    fields = [(leaf.part, text, msgspec.UNSET) for leaf in member.leaves]
    fields += [(part, empty, msgspec.UNSET) for part in member.opaque]
    marks = {leaf.part: f"@{leaf.part}" for leaf in member.leaves if leaf.field.metadata["attribute"]}
    plain, marked = (
        msgspec.defstruct(member.name, fields, rename=rename, forbid_unknown_fields=True, gc=False)
        for rename in (None, marks)
    )
    return plain, marked


@cache
def _warn_once() -> None:
    log.warning(
        "The package msgspec is not installed: postings in JSON are read the strict way, at about a tenth of the "
        "speed. Each of the extras duckdb, parquet and postgres brings it."
    )


@cache
def _decoder(marked: bool) -> Any:
    text: Any = str | None | msgspec.UnsetType
    fields = []
    for member in members():
        kind: Any = text
        if not member.is_value:
            kind = _structs(member)[marked] | Literal[""] | None | msgspec.UnsetType
        fields.append((member.name, kind, msgspec.UNSET))
    posting = msgspec.defstruct(ITEM, fields, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(list[posting])  # type: ignore[valid-type]
