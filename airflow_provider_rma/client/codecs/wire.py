"""The mapped form: the one shape that JSON and XML bodies have in common.

Dicts, lists and strings (and None for a JSON ``null``). Attributes of an XML element are under ``@name``, the text of
an element that also has attributes or children under ``$``, the XML root is dropped (evidence: JSON and XML samples of
the same entities, documented and seen in clients).
"""

from __future__ import annotations

from typing import Any, Literal

ContentType = Literal["json", "xml"]

#: One object of the mapped form; values are ``str``, ``None``, lists and objects of the same kind.
Mapped = dict[str, Any]

#: Nesting deeper than this is refused; documented bodies need five levels.
MAX_DEPTH = 32

#: A body decoded as a whole may have this many bytes. Longer lists go through the streaming decoder.
MAX_BYTES = 512 * 1024 * 1024


def flat_text(content: Any) -> str:
    """All text of a piece of the mapped form, attributes left out."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, dict):
        return " ".join(flat_text(part) for name, part in content.items() if not name.startswith("@"))
    return " ".join(flat_text(part) for part in content or [])
