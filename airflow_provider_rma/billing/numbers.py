"""The identity of a document: its number, and the normal form in which numbers are compared.

Working set, journal, plan, look-up, outcomes and import use this normal form (the *key*) and no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Numbers that a look-up by path finds for certain: others may be garbled on their way by proxies or by the service.
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")


def normalize_number(number: str) -> str:
    """Return the key of a number: two numbers with the same key name the same document, whatever their case."""
    return number.casefold()


def is_plain_number(number: str) -> bool:
    """Whether a number travels in the path of a request as it stands."""
    return _PLAIN.fullmatch(number) is not None


def read_number(record: Mapping[str, Any], field: str) -> str:
    """Return the number of a record that may be invalid, as far as it can be read; empty if it cannot.

    :param field: the field that holds it (``invnumber``, ``customernumber``).
    """
    number = record.get(field)
    return number.strip() if isinstance(number, str) else str(number) if isinstance(number, int) else ""
