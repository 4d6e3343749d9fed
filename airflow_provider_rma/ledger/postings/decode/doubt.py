"""What the parts of the fast way tell each other."""

from __future__ import annotations

from dataclasses import dataclass


class FastPathRefusedError(Exception):
    """The fast way cannot vouch for what follows; the text says why, without content of the answer."""


@dataclass
class Progress:
    """How far an answer was read.

    :param count: postings handed out.
    :param announced: postings that the service announced.
    """

    count: int = 0
    announced: int | None = None
