"""The single values of a posting, as its schema declares them: all that the fast path reads.

:class:`FastPathRefusedError` says that a response has something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.fields import Direction, RmaField, Undocumented
from airflow_provider_rma.schemas.ledger import TransactionSchema
from airflow_provider_rma.schemas.nested import Nested

#: Name of the repeated element and of the root.
ITEM, ROOT = "transaction", "transactions"


class FastPathRefusedError(Exception):
    """The fast path cannot vouch for what follows; the text says why, without content of the response."""


@dataclass
class ReadProgress:
    """How far a response was read.

    :param count: postings handed out.
    :param announced: postings that the service announced.
    """

    count: int = 0
    announced: int | None = None


@dataclass(frozen=True)
class Leaf:
    """One value.

    :param column: its column in a batch of texts: ``amount``, ``chart_accno``.
    :param member: the member of the posting it is in, or is.
    :param part: which part of the member it is, empty if the member is the value.
    :param field: reads it, as from the wire.
    """

    column: str
    member: str
    part: str
    field: RmaField

    @property
    def is_kept(self) -> bool:
        """Whether it reaches the table of postings. The rest only has to be readable."""
        return self.member != "chart" or self.part == "accno"


@dataclass(frozen=True)
class Member:
    """One member of a posting.

    :param leaves: its values; one without ``part`` if it is a value itself.
    :param opaque: parts nobody has documented; the fast path reads them only if they are empty.
    """

    name: str
    leaves: tuple[Leaf, ...]
    opaque: tuple[str, ...] = ()

    @property
    def is_value(self) -> bool:
        return not self.leaves[0].part


@cache
def members() -> tuple[Member, ...]:
    """List the members of a posting in the documented order."""
    return tuple(_member(name, field) for name, field in _fields(TransactionSchema(direction=Direction.WIRE)))


def _member(name: str, field: RmaField) -> Member:
    if not isinstance(field, Nested):
        return Member(name, (Leaf(name, name, "", field),))
    parts = list(_fields(field.schema))
    opaque = tuple(part for part, inner in parts if isinstance(inner, Undocumented))
    leaves = (Leaf(f"{name}_{part}", name, part, inner) for part, inner in parts if part not in opaque)
    return Member(name, tuple(leaves), opaque)


def _fields(schema: EntitySchema) -> Iterator[tuple[str, RmaField]]:
    return ((name, field) for name, field in schema.fields.items() if isinstance(field, RmaField))


@cache
def leaves() -> tuple[Leaf, ...]:
    """List all values of a posting, in the order of the columns of a batch of texts."""
    return tuple(leaf for member in members() for leaf in member.leaves)
