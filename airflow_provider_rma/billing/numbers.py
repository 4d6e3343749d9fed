"""The identity of a document: its number, and the normal form in which numbers are compared.

Working set, journal, plan, look-up, outcomes and import use this normal form (the *key*) and no other. It is described
in :mod:`airflow_provider_rma.schemas.keys`, beside the rules of which numbers are accepted at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from airflow_provider_rma.schemas import keys
from airflow_provider_rma.schemas.problems import printable_name
from airflow_provider_rma.schemas.text import parse_user_number

#: Most characters of a key of a number that the schemas accept: what a column for keys has to hold.
MAX_KEY_LENGTH = keys.MAX_KEY_LENGTH

#: Numbers that a look-up by path finds for certain: others may be garbled on their way by proxies or by the service.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
#: Numbers that messages may quote: a code in capitals, one behind such a prefix, or one with a digit.
_QUOTABLE = re.compile(
    r"(?=.{1,20}$)(?:[A-Z0-9._/-]+|[A-Z]{1,4}[-_.][A-Za-z0-9._/-]+|(?=[^0-9]*[0-9])[A-Za-z0-9._/-]+)"
)
#: An ending like a file's: servers take ``R-1.xml`` for R-1 in XML.
_FILE_ENDING = re.compile(r"\.[A-Za-z]+$")


def normalize_number(number: str) -> str:
    """Return the key of a number: two numbers with the same key name the same document.

    The key of a key is itself. No number that the schemas accept has an empty key, or one of more than
    :data:`MAX_KEY_LENGTH` characters; of other text the key may be both.
    """
    return keys.normalize_key(number)


def is_plain_number(number: str) -> bool:
    """Whether a number travels in the path of a request as it stands."""
    return _PLAIN.fullmatch(number) is not None and _FILE_ENDING.search(number) is None


def quote_number(number: str, otherwise: str = "of that number") -> str:
    """Return the number of something that a record refers to, for a message.

    Messages end in logs, which hold no personal data, and a record may name a person where a number belongs.

    :param otherwise: what is returned for a text that may be anything but a number.
    """
    return number if _QUOTABLE.fullmatch(number) else otherwise


def read_number(record: Mapping[str, Any], field: str) -> str:
    """Return the number of a record that may be invalid, for messages; empty if it cannot be read.

    Of a valid record it is the number of the validated document. Of any other it is no identity: text without blanks
    around it, in one line, of at most 64 characters.

    :param field: the field that holds it (``invnumber``, ``customernumber``).
    """
    try:
        number = parse_user_number(record.get(field)).strip()
    except ValidationError:
        return ""
    except Exception:  # noqa: BLE001 - a record may be any object
        return ""
    return printable_name(number) if number else ""
