"""Credentials in the address of a warehouse or a file, which everybody sees who sees the task."""

from __future__ import annotations

import re
from urllib.parse import unquote

from airflow_provider_rma.exceptions import ConfigurationError

#: Parts of the names of options that hold a secret, in small letters and without punctuation.
_SECRET_PARTS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "token",
    "secret",
    "credential",
    "accesskey",
    "accountkey",
    "apikey",
    "privatekey",
    "sharedkey",
    "storagekey",
    "signature",
    "connectionstring",
)
#: Names of options that hold a secret or a user.
_SECRET_NAMES = frozenset({"auth", "key", "login", "pass", "sas", "sig", "uid", "user", "userid", "username"})
#: An option and its name, wherever it is: `?name=…`, `&name=…`, `;name=…`, `#name=…`.
_OPTION = re.compile(r"[?&;#]\s*([^=?&;#]{1,80}?)\s*=")
#: Texts are decoded as often as programs on the way may do it.
_DECODINGS = 4

_ADVICE = "Make an Airflow connection of the database or storage, and give conn:// and its id, or destination_conn_id."
_STORAGE_ADVICE = (
    "Make an Airflow connection of the storage, and give its id alone before the host: s3://ID@bucket/key."
)


def refuse_credentials(address: str, *, is_database: bool, name: str = "destination") -> None:
    """Refuse an address that holds credentials, before its host or as options. The message names the option, no value.

    :param address: an address, also one with parts that are still to be rendered.
    :param is_database: whether nothing at all may stand before the host; the address of an object storage may name an
        Airflow connection there.
    :param name: the parameter that holds the address.
    :raises ConfigurationError: it does.
    """
    for _ in range(_DECODINGS):
        found = _find_before_host(address, is_database) or _find_option(address)
        if found:
            raise ConfigurationError(
                f"The address of the {name} holds credentials: {found}.",
                advice=_ADVICE if name == "destination" else _STORAGE_ADVICE,
            )
        decoded = unquote(address)
        if decoded == address:
            return
        address = decoded


def _find_before_host(address: str, is_database: bool) -> str:
    _, separator, rest = address.partition("://")
    user, at, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    if separator and at and (is_database or ":" in user):
        return "a user or password before the host"
    return ""


def _find_option(address: str) -> str:
    for name in _OPTION.findall(address):
        plain = re.sub(r"[\W_]", "", name).lower()
        if plain in _SECRET_NAMES or any(part in plain for part in _SECRET_PARTS):
            return f"the option {name}"
    return ""
