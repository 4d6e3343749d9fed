"""The mapped form: the one shape that JSON and XML bodies have in common.

Dicts, lists and strings (and None for a JSON ``null``). Attributes of an XML element are under ``@name``, the text of
an element that also has attributes or children under ``$``, the XML root is dropped (evidence: JSON and XML samples of
the same entities, documented and seen in clients).
"""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_rma.exceptions import IncompleteResponseError, RejectedError, UnexpectedResponseError

ContentType = Literal["json", "xml"]

#: One object of the mapped form; values are ``str``, ``None``, lists and objects of the same kind.
Mapped = dict[str, Any]

#: Nesting deeper than this is refused; documented bodies need five levels.
MAX_DEPTH = 32

#: A body decoded as a whole may have this many bytes. Longer lists go through the streaming decoder.
MAX_BYTES = 512 * 1024 * 1024

HTML_ADVICE = "Check host and tenant of the connection, and whether a proxy or a maintenance page answers in its place."


def incomplete(kind: str, where: str = "") -> IncompleteResponseError:
    """An answer that ended before its end."""
    return IncompleteResponseError(
        f"the {kind} answer ended early{where}",
        advice="Nothing of it was used. Try again; if it stays, ask for a shorter period.",
    )


def unexpected(message: str, advice: str = "") -> UnexpectedResponseError:
    """An answer that is not what the interface documents."""
    return UnexpectedResponseError(
        message, advice=advice or "The service did not answer as documented; look at it with `curl` or ask its support."
    )


def html_page() -> UnexpectedResponseError:
    """An HTML page in place of data."""
    return unexpected("the answer is an HTML page, not data", HTML_ADVICE)


def too_deep() -> UnexpectedResponseError:
    """A body nested beyond :data:`MAX_DEPTH`."""
    return unexpected(f"the answer is nested deeper than {MAX_DEPTH} levels")


def too_large(limit: int) -> UnexpectedResponseError:
    """A body longer than it may be."""
    return unexpected(f"the answer is longer than {limit} bytes", "Ask for a shorter period.")


def rejected(text: str) -> RejectedError:
    """The service's own refusal; ``text`` is German and may quote personal data."""
    return RejectedError(
        "the service refused the request",
        advice="The service's own text is in the attribute `server_message`; correct what it names.",
        server_message=text,
    )


def flat_text(content: Any) -> str:
    """All text of a piece of the mapped form, attributes left out."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, dict):
        return " ".join(flat_text(part) for name, part in content.items() if not name.startswith("@"))
    return " ".join(flat_text(part) for part in content or [])
