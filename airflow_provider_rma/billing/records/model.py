"""Records as they travel from a source to a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_rma.billing.outcomes import Outcome

Record = Mapping[str, Any]


@dataclass(frozen=True)
class RefusedRecord:
    """A record that its source has decided about already: it is reported and not sent.

    :param number: number by which a user knows it.
    """

    number: str
    outcome: Outcome
    reasons: tuple[str, ...]
    record: Record
