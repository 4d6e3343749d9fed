"""All lies, by name. A new lie is a new line in one of the lists."""

from __future__ import annotations

from tests.support.ledger.liar import Lie
from tests.support.ledger.lies import balances, combined, postings, responses

LIES: list[Lie] = [*postings.LIES, *balances.LIES, *responses.LIES, *combined.LIES]
