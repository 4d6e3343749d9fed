"""The faults that a schedule draws for requests."""

from __future__ import annotations

import random
from collections.abc import Iterable

from tests.support.system.service import Booked, Reply

#: What can become of a POST: the answer, and when the document comes into the books.
POST_FAULTS = (
    ("lost", "never"),
    ("lost", "now"),
    ("lost", "within"),
    ("lost", "within"),
    ("lost", "late"),
    ("error", "never"),
    ("error", "now"),
    ("error", "within"),
    ("busy", "never"),
    ("busy", "now"),
    ("accepted", "within"),
    ("partial", "now"),
    ("page", "never"),
    ("page", "now"),
    ("firewall", "never"),
    ("firewall", "now"),
    ("firewall", "now"),
    ("firewall", "within"),
    ("firewall", "within"),
    ("firewall", "late"),
    ("empty_refusal", "never"),
    ("empty_refusal", "now"),
    ("empty_refusal", "within"),
    ("empty_refusal", "within"),
    ("empty_refusal", "within"),
    ("empty_refusal", "late"),
    ("refused", "never"),
    ("refused", "now"),
    ("refused_xml", "never"),
    ("token", "never"),
    ("token", "now"),
    ("hint", "now"),
    ("hint", "within"),
    ("continue", "now"),
    ("hint_lost", "never"),
    ("hint_lost", "now"),
    ("normal", "within"),
    ("normal", "late"),
    ("repeated", "now"),
    ("repeated", "now"),
    ("repeated, lost", "within"),
)

#: Statuses under which a firewall shows its page, and with which something refuses without a word.
FIREWALL_STATUSES = (400, 401, 403, 404, 405, 413, 451, 503)
EMPTY_STATUSES = (400, 403, 404, 409, 413)

#: What can become of any read, and of the whole list besides.
READ_FAULTS = ("lost", "error", "busy", "page", "firewall", "partial", "truncated", "cut", "hint", "continue")
LIST_FAULTS = ("empty", "lacking", "lacking")

#: Seconds for which a list lags behind the books, in a whole schedule.
LAGS = (0.0, 0.0, 0.0, 60.0, 400.0, 2_000.0)


def draw_status(dice: random.Random, answer: str) -> int:
    """Draw the status of an answer that may have several."""
    if answer == "firewall":
        return dice.choice(FIREWALL_STATUSES)
    return dice.choice(EMPTY_STATUSES) if answer == "empty_refusal" else 0


def draw_read(dice: random.Random, kind: str, visible: Iterable[Booked]) -> tuple[str, Reply]:
    """Draw what becomes of a read that is hit.

    :param kind: of the call.
    :param visible: what the books hold.
    :returns: name of the fault, and the reply.
    """
    name = dice.choice(READ_FAULTS + LIST_FAULTS if kind in ("list", "day") else READ_FAULTS)
    ids = [one.id for one in visible]
    if name == "empty":
        return name, Reply(hidden=frozenset(ids))
    if name == "lacking":
        return name, Reply(hidden=frozenset(dice.sample(ids, dice.randint(min(1, len(ids)), len(ids)))))
    return name, Reply(name, status=draw_status(dice, name))
