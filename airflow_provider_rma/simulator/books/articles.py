"""From an article document (lines of parts) to the rows of the ledger: totals and taxes are computed here.

Rules and their limits come from the posting oracle: rounding per line, tax accumulated unrounded per account,
the one-line carry of tax-inclusive documents, and where the remaining cent goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_rma.simulator.books.posting import (
    ArticleTerms,
    Document,
    Posted,
    PostingRow,
    Terms,
    document_sign,
)
from airflow_provider_rma.simulator.books.rounding import count_decimals, round_half_up, to_float, to_stored


@dataclass(slots=True)
class _Line:
    """One line while it is computed: ``gross`` and ``net`` in CHF, ``fxgross`` in document currency."""

    accno: str
    gross: float
    net: float
    fxgross: float
    moves: bool
    project: str | None


def post_articles(document: Document, lines: Sequence[ArticleTerms], terms: Terms) -> Posted:
    """Post a document of the article method, without its payments.

    :param document: a sale or purchase with ``lines`` (``quantity``, ``sellprice``, ``discount_percent``).
    :param lines: account and tax rates of each line, in the same order.
    :param terms: the master data that concerns the document.
    """
    rate = terms.exchange_rate(document)
    inclusive = bool(document.get("taxincluded"))
    sign = document_sign(document)
    computed, rest = _compute_lines(document["lines"], lines, terms.side, sign, rate)
    taxes = _taxes(computed, lines, inclusive)
    # In the header of a purchase in a foreign currency the tax stays unrounded (real ledger code).
    is_rounded = terms.side > 0 or not terms.is_foreign(document)
    fxtotal = sum(line.fxgross for line in computed) + _fx_taxes(computed, lines, inclusive, is_rounded)

    gross = sum(line.gross for line in computed)
    net = sum(line.net for line in computed)
    tax = sum(taxes.values())
    total = round_half_up(gross + rest if inclusive else net + rest + tax)
    posted = Posted(
        amount=to_stored(total),
        netamount=to_stored(round_half_up(net + rest)),
        fxamount=to_stored(round_half_up(fxtotal) if is_rounded else fxtotal),
        exchangerate=to_stored(rate),
        taxincluded=inclusive,
        duedate=document.get("duedate") or None,
    )
    # the cents that per-line rounding left over go on the row that is posted first
    first_row_extra = rest + (round_half_up(gross - net - tax) if inclusive else 0.0)
    transdate = document["transdate"]
    for line in sorted((line for line in computed if line.moves), key=lambda line: -line.net):
        amount = round_half_up(line.net + first_row_extra)
        first_row_extra = 0.0
        posted.rows.append(PostingRow(line.accno, to_stored(terms.side * amount), transdate, project=line.project))
    if total:
        posted.rows.append(PostingRow(terms.arap_accno, to_stored(-terms.side * total), transdate))
    for accno in sorted(taxes, key=_position(terms.tax_accnos)):
        posted.rows.append(PostingRow(accno, to_stored(terms.side * taxes[accno]), transdate))
    return posted


def _position(accnos: Sequence[str]) -> Any:
    """Sort key: the customer's own order of tax accounts, unknown ones last."""
    places = {accno: place for place, accno in enumerate(accnos)}
    return lambda accno: (places.get(accno, len(places)), accno)


def _compute_lines(
    inputs: Sequence[Document], lines: Sequence[ArticleTerms], side: int, sign: int, rate: float
) -> tuple[list[_Line], float]:
    """Return the lines in CHF and the rounded sum of what converting them left over (0 for a single line)."""
    computed = []
    left_over = 0.0
    for given, line in zip(inputs, lines, strict=True):
        quantity = sign * to_float(given.get("quantity"))
        fxgross = _sales_gross(given, quantity) if side > 0 else _purchase_gross(given, quantity)
        exact = fxgross * rate
        gross = round_half_up(exact)
        left_over += exact - gross
        computed.append(_Line(line.accno, gross, gross, fxgross, quantity != 0, given.get("projectnumber") or None))
    return computed, round_half_up(left_over) if len(computed) > 1 else 0.0


def _sales_gross(given: Document, quantity: float) -> float:
    """Sales discount the line: price times quantity times (1 - discount)."""
    price = to_float(given.get("sellprice"))
    return round_half_up(price * (1 - to_float(given.get("discount_percent")) / 100) * quantity)


def _purchase_gross(given: Document, quantity: float) -> float:
    """Purchases round the discount of one unit first, to the price's own decimals but at least two."""
    price = given.get("sellprice")
    places = max(2, count_decimals(price or 0))
    discount = round_half_up(to_float(price) * to_float(given.get("discount_percent")) / 100, places)
    return round_half_up((to_float(price) - discount) * quantity)


def _taxes(computed: list[_Line], lines: Sequence[ArticleTerms], inclusive: bool) -> dict[str, float]:
    """Tax per account in CHF; for tax-inclusive documents also reduces the lines to their net."""
    sums: dict[str, float] = {}
    carry = 0.0
    for line, terms in zip(computed, lines, strict=True):
        combined = sum(terms.rates.values())
        tax = line.gross * combined / (1 + combined) if inclusive else 0.0
        for accno, rate in terms.rates.items():
            # a rate of 0 for all accounts of a line leaves nothing to split
            share = (tax * rate / combined if combined else 0.0) if inclusive else line.gross * rate
            sums[accno] = sums.get(accno, 0.0) + share
        if inclusive:
            # the carry reaches one line only: it is the rest of the line before, not a running sum
            line.net = round_half_up(line.gross - round_half_up(tax - carry))
            carry = round_half_up(tax) - tax
    return {accno: round_half_up(amount) for accno, amount in sums.items()}


def _fx_taxes(computed: list[_Line], lines: Sequence[ArticleTerms], inclusive: bool, is_rounded: bool) -> float:
    """Tax in document currency that comes on top of the lines."""
    if inclusive:
        return 0.0
    sums: dict[str, float] = {}
    for line, terms in zip(computed, lines, strict=True):
        for accno, rate in terms.rates.items():
            sums[accno] = sums.get(accno, 0.0) + line.fxgross * rate
    return sum(round_half_up(amount) if is_rounded else amount for amount in sums.values())
