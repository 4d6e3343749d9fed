"""Facts of a run, links of a chain, and defects of a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_rma.described_enum import DescribedEnum


@dataclass(frozen=True)
class RunFacts:
    """The facts of a run that its evidence and its page state.

    :param run: identity of the run, as in the journal.
    :param kind: ``invoices`` or ``customers``.
    :param started: with its time zone.
    :param finished: with its time zone.
    :param plan_hash: SHA-256 of the plan file that was carried out, empty if the run planned for itself.
    :param input_hash: SHA-256 of the input records.
    :param approver: who approved the plan, as it was given; empty if nobody did.
    :param stopped: why the run was stopped, empty if it was not. One of our own sentences, never the service's.
    :param alarms: what is wrong in the books with documents that the run does not carry, each a sentence.
    :param brakes: brakes in force, e.g. ``{"max_count": 2000, "max_amount": "1000000"}``.
    :param recorded_by: the later run that states this one from the send journal; empty if it states itself.
    :param versions: versions that only the caller knows, e.g. ``{"apache-airflow": "3.3.2"}``.
    """

    run: str
    kind: str
    started: datetime
    finished: datetime
    plan_hash: str = ""
    input_hash: str = ""
    approver: str = ""
    stopped: str = ""
    alarms: tuple[str, ...] = ()
    brakes: Mapping[str, str | int | None] = field(default_factory=dict)
    recorded_by: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EvidenceRef:
    """One link of a chain.

    :param path: the file, on its file system.
    :param seq: position in the chain, from 1.
    :param hash: SHA-256 of the evidence.
    """

    path: str
    seq: int
    hash: str


class DefectKind(DescribedEnum):
    """Kind of a defect."""

    CHANGED = "changed", "the content is not what was hashed, or not what the next link was built on"
    MISSING = "missing", "a link is not there; its name is known from the link after it"
    OUT_OF_ORDER = (
        "out_of_order",
        "the file is not where its content belongs: renamed, exchanged, or another tenant's",
    )
    FORK = "fork", "two different files hold the same position"
    UNREADABLE = "unreadable", "the file cannot be opened, is empty, or is not evidence"


@dataclass(frozen=True)
class ChainDefect:
    """A defect of a chain.

    :param file: name of the file in its folder; of a missing file as much of the name as is known.
    :param sentence: what is wrong, in one English sentence.
    """

    kind: DefectKind
    file: str
    sentence: str
