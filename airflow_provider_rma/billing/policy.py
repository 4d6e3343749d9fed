"""How a run bills."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from airflow_provider_rma.schemas.date_range import PLAUSIBLE, DateRange
from airflow_provider_rma.schemas.notation import PLAIN, Notation

AbsenceCheck = Literal["full_list", "by_number"]


@dataclass(frozen=True)
class InputRules:
    """What a run accepts beyond what the schema says.

    :param send_customers: whether records may carry a full ``customer``, which creates or overwrites master data.
    :param currencies: currencies that may be billed (ISO 4217).
    :param input_timezone: time zone in which date-times that are not midnight name a day; None refuses them.
    :param date_range: days that a date may have.
    :param notation: how records write amounts and dates as text.
    """

    send_customers: bool = False
    currencies: Collection[str] = ("CHF",)
    input_timezone: str | None = None
    date_range: DateRange = PLAUSIBLE
    notation: Notation = PLAIN


@dataclass(frozen=True)
class Policy:
    """How a run bills.

    :param rules: what is accepted as a document.
    :param closed_until: last day of the closed period (inclusive), None if not known.
    :param total_deadline: seconds after which a POST is given up.
    :param settle_time: seconds after giving up within which the service may still carry a request out.
    :param max_count: documents that one run may send.
    :param max_amount: sum of the amounts (without sign) that one run may send, in CHF.
    :param check_master_data: whether customers, articles and accounts are looked up before anything is sent.
    :param absence_check: how a number is proven absent: ``full_list`` reads all invoices once, ``by_number`` asks for
        each number, for books that are much larger than what is billed (a number that is there twice is not noticed
        then).
    :param write_recovery_tag: whether the internal notes of what is sent end with a recovery tag, from which a lost
        journal is rebuilt.
    """

    rules: InputRules = field(default_factory=InputRules)
    closed_until: date | None = None
    total_deadline: float = 120.0
    settle_time: float = 300.0
    max_count: int = 2_000
    max_amount: Decimal = Decimal(1_000_000)
    check_master_data: bool = True
    absence_check: AbsenceCheck = "full_list"
    write_recovery_tag: bool = True
