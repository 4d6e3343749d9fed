"""Compare a customer as it is meant with what RMA shows, by names of fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_rma.schemas.customer import CustomerSchema

_SCHEMA = CustomerSchema()
#: Fields that RMA sets itself or that identify the customer: never compared, never managed.
NOT_MANAGED = frozenset({"id", "customernumber", "contactId", "addressId", "chart", "paymentChart", "created"})


def differing(meant: Mapping[str, Any], booked: Mapping[str, Any]) -> list[str]:
    """Names of fields that are meant to be otherwise than RMA shows them; what RMA does not show is not compared."""
    return [
        name
        for name, value in meant.items()
        if name not in NOT_MANAGED and name in booked and _comparable(value) != _comparable(booked[name])
    ]


def overwriting(customer: Mapping[str, Any], booked: Mapping[str, Any] | None) -> dict[str, Any]:
    """What sending a full customer with an invoice does to the master data.

    :param customer: the customer as it would be sent.
    :param booked: the customer as RMA shows it, None if there is none of that number.
    :returns: ``action`` (``create``, ``overwrite`` or ``none``), and the names of the fields that would be ``changed``
        or ``lost``: RMA replaces the whole record (documented), so what is left out of it is gone.
    """
    number = str(customer["customernumber"])
    if booked is None:
        return {"customernumber": number, "action": "create", "changed": [], "lost": []}
    changed = differing(customer, booked)
    held = {name for name, value in _SCHEMA.writable(booked).items() if value not in ("", [])}
    lost = sorted(held - set(customer) - NOT_MANAGED)
    action = "overwrite" if changed or lost else "none"
    return {"customernumber": number, "action": action, "changed": changed, "lost": lost}


def _comparable(value: Any) -> Any:
    """Texts without regard to the kind and number of blanks."""
    return value.split() if isinstance(value, str) else value
