"""Values of a connection's extras, read strictly but in every form in which Airflow delivers them.

The form stores typed values and ``null`` for a field left empty; a connection given as a URI delivers strings; one
given as JSON, whatever its author wrote. A value that is not plainly what the field wants is refused by the field's
name. Values are never quoted: somebody may have put a token into the wrong field.
"""

from __future__ import annotations

import datetime
import difflib
import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_rma.exceptions import ConfigurationError

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

#: What people call a standard field when they look for it among the extras.
_STANDARD = {
    "Token": ("token", "password", "api_key", "apikey", "key", "secret", "rma_key", "pat"),
    "Tenant (Mandant)": ("tenant", "mandant", "schema", "client", "clientname"),
    "Host": ("host", "url", "base_url", "endpoint"),
    "Port": ("port",),
}


class Extras:
    """The extras of one connection.

    :param conn_id: the connection's id, for messages.
    :param text: the extras as Airflow stores them: a JSON object, or nothing.
    :param known: names that may occur.
    :raises ConfigurationError: if the text is no JSON object or holds a name that is not known.
    """

    def __init__(self, conn_id: str, text: str | None, known: Collection[str]) -> None:
        self._conn_id = conn_id
        self._values = self._load(text)
        for name in self._values:
            if name not in known:
                raise self._unknown(name, known)

    def _load(self, text: str | None) -> Mapping[str, Any]:
        if not text or not text.strip():
            return {}
        try:
            values = json.loads(text)
        except ValueError:
            values = text
        if values is None:
            return {}
        if not isinstance(values, dict):
            raise ConfigurationError(
                f"connection {self._conn_id}: the extras are no JSON object.",
                advice='Write them as {"name": value, …}, in double quotes.',
            )
        return values

    def _unknown(self, name: str, known: Collection[str]) -> ConfigurationError:
        lowered = name.casefold().replace("-", "_")
        for field, names in _STANDARD.items():
            if lowered in names:
                advice = f"It belongs into the field {field} of the connection."
                break
        else:
            near = difflib.get_close_matches(lowered, known, n=1, cutoff=0.5)
            advice = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(sorted(known))}."
        return ConfigurationError(f"connection {self._conn_id}: unknown extra {name!r}.", advice=advice)

    def refusal(self, name: str, problem: str, advice: str = "") -> ConfigurationError:
        """What is wrong with an extra, without quoting its value."""
        return ConfigurationError(f"connection {self._conn_id}: extra {name!r} {problem}.", advice=advice)

    def get(self, name: str) -> Any:
        """The value as it was given, or None where it is missing, ``null`` or blank."""
        value = self._values.get(name)
        if isinstance(value, str):
            value = value.strip()
        return None if value == "" else value

    def boolean(self, name: str) -> bool | None:
        """True or false, also from ``"true"``, ``"no"``, ``1`` and the like."""
        value = self.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).casefold() if isinstance(value, str | int) else ""
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise self.refusal(name, "is neither true nor false")

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of the allowed words, in any case."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.casefold() in allowed:
            return value.casefold()
        raise self.refusal(name, f"is none of {', '.join(allowed)}")

    def seconds(self, name: str) -> float | None:
        """A time in seconds, greater than zero."""
        value = self.get(name)
        if value is None:
            return None
        number = math.nan
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except (ValueError, OverflowError):
                number = math.nan
        if math.isfinite(number) and number > 0:
            return number
        raise self.refusal(name, "is not a number of seconds greater than 0")

    def count(self, name: str) -> int | None:
        """A whole number, at least 1."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        raise self.refusal(name, "is not a whole number of at least 1")

    def day(self, name: str) -> datetime.date | None:
        """A calendar day written ``YYYY-MM-DD``."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return datetime.date.fromisoformat(value)
            except ValueError:
                pass
        raise self.refusal(name, "is not a day written YYYY-MM-DD")

    def text(self, name: str) -> str | None:
        """A text, without blanks around it."""
        value = self.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self.refusal(name, "is not a text")

    def verification(self, name: str) -> bool | str | None:
        """Whether certificates are verified, or the path of the file to verify them with."""
        value = self.get(name)
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return self.boolean(name)
        if value.casefold() in _TRUE | _FALSE:
            return value.casefold() in _TRUE
        return value

    def proxies(self, name: str) -> dict[str, str] | None:
        """Addresses of proxies by the scheme of the request; one address stands for both schemes."""
        value = self.get(name)
        if isinstance(value, str):
            value = self._proxy_text(name, value)
        if not value:
            return None
        if not isinstance(value, dict) or not set(value) <= {"http", "https"}:
            raise self.refusal(name, 'is neither an address nor a JSON object with the names "http" and "https"')
        return {scheme: self._proxy(name, address) for scheme, address in value.items() if address} or None

    def _proxy_text(self, name: str, text: str) -> Any:
        if not text.startswith("{"):
            return {"http": text, "https": text}
        try:
            return json.loads(text)
        except ValueError:
            raise self.refusal(name, "is no JSON object") from None

    def _proxy(self, name: str, address: Any) -> str:
        try:
            parts = urlsplit(address) if isinstance(address, str) else None
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.refusal(name, "is not the address of a proxy", "Write it as http://proxy.example.com:3128.")
        if parts.password is not None:
            raise self.refusal(
                name,
                "holds a password, and Airflow shows extras in clear",
                "Use a proxy that knows the workers without one.",
            )
        return parts.geturl()
