"""Fields of postings that this version does not know: kept in the column ``extra``, and reported."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from airflow_provider_rma.ledger._pyarrow import pa

log = logging.getLogger(__name__)


class UnknownFields:
    """Names of the unknown fields of a run; each is logged once, when it first appears.

    Looks at the first postings of each batch that have any: when the service adds a field, all postings have it.
    """

    #: Postings of a batch that are looked at.
    SAMPLE = 100

    def __init__(self) -> None:
        self.names: set[str] = set()

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at some postings."""
        extra = batch.column("extra")
        if extra.null_count == len(extra):
            return
        sample = extra.drop_null().slice(0, self.SAMPLE).unique().to_pylist()
        new = {name for text in sample for name in _list_names(json.loads(text))} - self.names
        if new:
            self.names |= new
            log.warning(
                "Postings have fields that this version does not know; they are kept in the column extra: %s.",
                ", ".join(sorted(new)),
            )


def _list_names(extra: Any, prefix: str = "") -> Iterator[str]:
    """List the names of the fields; those of nested objects begin with the name of the object."""
    if not isinstance(extra, dict):
        return
    for name, value in extra.items():
        if isinstance(value, dict) and value:
            yield from _list_names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
