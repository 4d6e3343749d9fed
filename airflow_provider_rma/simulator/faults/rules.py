"""Faults on purpose, per class of request and reproducible: which request is hit, and by what."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Any

FAULTS = (
    "lost",
    "error",
    "html",
    "no_body",
    "redirect",
    "too_many_requests",
    "slow_commit",
    "slow_answer",
    "truncated",
    "partial",
    "interim",
    "repeated",
    "short_list",
)
#: Seconds that a fault may last at most.
_LONGEST = 86_400
FRAMINGS = ("content_length", "chunked", "close", "intact")


@dataclass
class FaultRule:
    """One fault for one class of requests.

    :param request_class: ``create_invoice``, ``read_invoices``, ...; a first word (``read``, ``save``) stands for all
        classes that begin with it, ``any`` for every request.
    :param fault: one of ``FAULTS``.
    :param count: hit that many requests, then stop; without it (and without ``probability``) every request.
    :param probability: hit a request with this probability (0 to 1), drawn from a generator seeded with ``seed``.
    :param skip: let the first so many matching requests pass.
    :param after_commit: faults that replace the response (``lost``, ``error``, ``html``, ``no_body``, ``redirect``,
        ``too_many_requests``) hit after the request was carried out, not before.
    :param seconds: how long ``slow_commit`` waits before carrying out, or ``slow_answer`` takes to send.
    :param retry_after: seconds announced with ``too_many_requests``.
    :param framing: how a truncated body travels: with a ``content_length`` that promises more, ``chunked`` without
        the last chunk, ``close`` (no length at all, the end of the connection ends it), or ``intact`` (the framing is
        right, only the document ends early).
    :param at: bytes of the body that still arrive, half of it without; of a ``short_list`` how many entities, none
        without.
    :param status: status of the ``html`` page, of the ``error``, of the response with ``no_body`` or of the ``interim``
        one.
    """

    request_class: str
    fault: str
    count: int | None = None
    probability: float | None = None
    seed: int = 0
    skip: int = 0
    after_commit: bool = False
    seconds: float = 1.0
    retry_after: int = 1
    framing: str = "content_length"
    at: int | None = None
    status: int | None = None
    fired: int = 0
    seen: int = 0
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"fault must be one of {', '.join(FAULTS)}, not {self.fault!r}")
        if self.framing not in FRAMINGS:
            raise ValueError(f"framing must be one of {', '.join(FRAMINGS)}, not {self.framing!r}")
        # Numbers of the control endpoint arrive as their text, so that amounts stay exact.
        self.seconds = float(self.seconds)
        self.probability = None if self.probability is None else float(self.probability)
        self._check()
        self._random = random.Random(self.seed)  # noqa: S311 - a repeatable sequence is wanted, not a secret
        self._lifted = asyncio.Event()

    def _check(self) -> None:
        if not isinstance(self.request_class, str) or not isinstance(self.after_commit, bool):
            raise ValueError("class must be a text, after_commit a boolean")
        for name in ("count", "skip", "seed", "retry_after", "at", "status"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise ValueError(f"{name} must be a whole number from 0, not {value!r}")
        if not 0 <= self.seconds <= _LONGEST or not 0 <= (self.probability or 0) <= 1:
            raise ValueError(f"seconds must lie between 0 and {_LONGEST}, probability between 0 and 1")
        lowest, highest = (100, 199) if self.fault == "interim" else (200, 599)
        if self.status is not None and not lowest <= self.status <= highest:
            raise ValueError(f"status must lie between {lowest} and {highest}, not {self.status}")

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> FaultRule:
        """Read a rule from its JSON form, which calls the class of requests ``class``."""
        values = {("request_class" if key == "class" else key): value for key, value in given.items()}
        known = {attribute.name for attribute in fields(cls)} - {"fired", "seen", "_random"}
        unknown = sorted(set(values) - known)
        if unknown or not {"request_class", "fault"} <= set(values):
            raise ValueError(f"a rule needs class and fault; unknown: {', '.join(unknown) or 'nothing'}")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """The rule with what it has done so far: ``seen`` matching requests, ``fired`` at some of them."""
        values = {key: value for key, value in asdict(self).items() if key != "_random"}
        return {"class": values.pop("request_class"), **values}

    def covers(self, request_class: str) -> bool:
        """Whether the rule covers a class of requests."""
        return self.request_class in ("any", request_class) or request_class.startswith(self.request_class + "_")

    def hits(self) -> bool:
        """Count a matching request and decide whether the rule hits it."""
        self.seen += 1
        if self.seen <= self.skip or (self.count is not None and self.fired >= self.count):
            return False
        if self.probability is not None and self._random.random() >= self.probability:
            return False
        self.fired += 1
        return True

    async def hold(self) -> None:
        """Wait for ``seconds``, or until the rule is lifted."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._lifted.wait(), self.seconds)

    def lift(self) -> None:
        """Let the requests go on that the rule holds."""
        self._lifted.set()


class Faults:
    """The rules in force, asked in order; the first that hits decides."""

    def __init__(self) -> None:
        self.rules: list[FaultRule] = []

    def pick(self, request_class: str) -> FaultRule | None:
        """Return the rule that hits this request, if any."""
        return next((rule for rule in self.rules if rule.covers(request_class) and rule.hits()), None)

    def clear(self) -> None:
        """Drop all rules; requests that they hold go on."""
        for rule in self.rules:
            rule.lift()
        self.rules.clear()
