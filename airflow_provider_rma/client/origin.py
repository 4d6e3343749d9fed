"""The one name of a service: scheme, host and port, in one spelling.

Journal, evidence and plans know a service by its origin only. So ``RMA.example``, ``rma.example:443``, ``rma.example.``
and ``HTTPS://rma.example/`` must come to the same text, or one tenant would have several journals.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from requests import PreparedRequest

_DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
#: What resolvers take for an IPv4 address, also in spellings such as 127.1 or 0x7f000001.
_NUMERIC_LABEL = re.compile(r"0x[0-9a-f]*|[0-9]+")
_NAME = "give a name such as service.runmyaccounts.com"


class OriginError(ValueError):
    """The text is no origin; the message continues the word "host" and names the remedy."""


@lru_cache(maxsize=64)
def canonical_origin(host: str) -> str:
    """Return the canonical origin, e.g. ``https://service.runmyaccounts.com``.

    Scheme and host are in lower case, an international name is in ASCII (IDNA).
    There is no default port, no trailing dot and no slash. An IPv6 address is in its shortest form; one that stands for
    an IPv4 address is that address.

    :param host: name, optionally with scheme (https without one) and port; blanks and slashes around it do not count.
    :raises OriginError: if it is something else.
    """
    scheme, mark, rest = host.strip().partition("://")
    text = f"{scheme if mark else 'https'}://{(rest if mark else scheme).rstrip('/')}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise OriginError(f"is no address; {_NAME}, with :port if needed") from None
    _check_parts(text, parts)
    name = _canonical_name(parts.hostname or "")
    is_default = port is None or port == _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{name}" if is_default else f"{parts.scheme}://{name}:{port}"


def _check_parts(text: str, parts: SplitResult) -> None:
    if parts.scheme not in _DEFAULT_PORTS:
        raise OriginError("has an unknown scheme; use https://")
    if not parts.hostname or not text.isprintable() or re.search(r"[\s\\]", text):
        raise OriginError(f"is no address; {_NAME}")
    if "@" in parts.netloc:
        raise OriginError("holds a user or password; put the token into the password field")
    if parts.path or parts.query or parts.fragment or "?" in text or "#" in text:
        raise OriginError("has a path or query; give scheme, name and port only")


def _canonical_name(name: str) -> str:
    if ":" in name:
        try:
            address = ipaddress.IPv6Address(name)
        except ValueError:
            raise OriginError("is no address; it looks like IPv6 and is not") from None
        if address.scope_id is not None:
            raise OriginError("names a zone of this machine; give an address that does not need one")
        return str(address.ipv4_mapped or f"[{address}]")
    name = (name if name.isascii() else _encode_international(name)).lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise OriginError(f"is no address; {_NAME}")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return _canonical_ipv4(name)
    return name


def _encode_international(name: str) -> str:
    """Encode a name in the way in which requests does it for the connection."""
    plain = unicodedata.normalize("NFKC", name).replace("\u3002", ".").lower()
    request = PreparedRequest()
    try:
        request.prepare_url(f"https://{plain}", None)
        return urlsplit(request.url or "").hostname or ""
    except ValueError:
        raise OriginError(f"is no address; {_NAME}") from None


def _canonical_ipv4(name: str) -> str:
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise OriginError("is no address; write an IPv4 address with four numbers") from None
