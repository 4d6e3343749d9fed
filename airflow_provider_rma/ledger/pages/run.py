"""The page of a run of the ledger extract: months, proofs, and advice for what is not proven.

A pure function of the result and of rows as the destination holds them: it does not read or write anything. The page
has account names, amounts, and references of vouchers that do not balance, so it is as confidential as the books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pendulum

from airflow_provider_rma.formatting import format_count, format_quantity, name_warehouse
from airflow_provider_rma.html import Html, definitions, join, page, section, table, tag, tiles
from airflow_provider_rma.ledger.contract import CHANGE_KINDS
from airflow_provider_rma.ledger.pages.charts import STYLE, Cell, amount, cells_by_account, heat_map, volumes
from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict, gravest
from airflow_provider_rma.ledger.result import LedgerResult, MonthState, WindowResult
from airflow_provider_rma.ledger.windows import format_months

#: Reasons of a month that the page names.
_REASONS = 25
#: Lines of first vouchers that are shown at once; more are folded away.
_CHANGES = 12
_ZERO = Decimal(0)

STATES = (
    *(MonthState.CHANGED, MonthState.REJECTED, MonthState.FAILED),
    *(MonthState.UNCHANGED, MonthState.SKIPPED, MonthState.DONE),
)
#: Shown although it does not make the verdict worse, and not shown month by month.
_ALWAYS_SHOWN, _NEVER_SHOWN = {ReasonCode.CLOSED_MONTH_CHANGED}, {ReasonCode.NOT_READ}


def ledger_page(
    result: LedgerResult,
    *,
    proofs: Iterable[Mapping[str, Any]],
    balances: Iterable[Mapping[str, Any]] = (),
    task_run: str = "",
    made_at: datetime | None = None,
) -> str:
    """Make the page of a run.

    :param result: the result of the run.
    :param proofs: rows of the table ``proofs`` by column, as Arrow's ``to_pylist`` returns them; those of other loads
        are passed over (but for months that another load has done), so all rows of the tenant's months will do.
    :param balances: rows of ``balances`` of these months; they hold the names of accounts, and which of them have a
        balance at all.
    :param task_run: identity of the run, as in ``loads``.
    :param made_at: time that the page states; now by default.
    :returns: HTML without script and without anything that is loaded from elsewhere.
    """
    loads = {month.window.start: month.load_id for month in result.windows if month.load_id}
    own = [
        row
        for row in proofs
        if row["tenant"] == result.tenant and row["load_id"] == loads.get(row["month"], result.load_id)
    ]
    stated = [row for row in balances if row["tenant"] == result.tenant]
    names = {row["accno"]: row["account_name"] or "" for row in stated}
    cells = cells_by_account(own)
    return page(
        f"Ledger of {result.tenant}: {_meaning(result)[0].lower()}",
        _head(result, task_run, made_at),
        _verdict(result),
        _tiles(result, cells),
        section("Differences and what to do", *_differences(result)),
        section("Months and accounts", heat_map(result.windows, cells, names)),
        section("Postings by month", volumes(result.windows), _volume_note() if result.windows else Html("")),
        section("Changes since the last load", *_changes(result)),
        section("Balances", _balances(own, stated, names)),
        section("Signs", *_signs(result)),
        section("Loads", _loads(result)),
        style=STYLE,
    )


def _head(result: LedgerResult, task_run: str, made_at: datetime | None) -> Html:
    made = pendulum.instance(made_at) if made_at else pendulum.now("UTC")
    entries = [
        ("Period", _period(result)),
        ("Into", name_warehouse(result.kind, result.location)),
        ("Load", result.load_id),
        ("Run", task_run),
        ("Page made", made.in_timezone("Europe/Zurich").format("YYYY-MM-DD HH:mm [Zurich]")),
    ]
    return join(tag("h1", f"Ledger of {result.tenant}"), definitions(entries))


def _period(result: LedgerResult) -> str:
    return " to ".join(day.isoformat() for day in result.period or ())


def _meaning(result: LedgerResult) -> tuple[str, str]:
    """Title and sentence of the verdict."""
    if result.windows:
        meaning = result.verdict.meaning
        if result.ended_by and result.verdict.is_proven:
            return "Ended early", f"What was read is proven: {meaning}."
        return result.verdict.heading, f"{meaning[0].upper()}{meaning[1:]}."
    if result.ended_by:
        return "Nothing was read", "The run ended in its first month."
    return (
        "Nothing was read",
        "It was stopped before its first month." if result.remaining else "The period holds no month.",
    )


def _verdict(result: LedgerResult) -> Html:
    title, meaning = _meaning(result)
    icon, kind = (result.verdict.icon, _urgency(result.verdict)) if result.windows else ("·", "")
    if result.ended_by:
        icon, kind = "!", "attention"
    return tag(
        "div",
        tag("span", icon, class_="seal", aria_hidden="true"),
        tag("div", tag("strong", title), (tag("p", sentence) for sentence in (meaning, *_sentences(result)))),
        class_=f"verdict notice {kind}".rstrip(),
    )


def _urgency(verdict: Verdict) -> str:
    if verdict is Verdict.EXACT:
        return "good"
    return "attention" if verdict.needs_attention and not verdict.is_proven else ""


def _sentences(result: LedgerResult) -> Iterator[str]:
    """Summarise the months in sentences."""
    if result.verdict is not Verdict.EXACT:
        counts = Counter(month.verdict for month in result.windows)
        listed = ", ".join(f"{counts[verdict]} {verdict.label}" for verdict in Verdict if counts[verdict])
        yield f"{format_quantity(len(result.windows), 'month')}: {listed}."
    failed, rejected = result.months(MonthState.FAILED), result.months(MonthState.REJECTED)
    if failed:
        yield f"Could not be read, so the warehouse keeps what it had: {', '.join(failed)}."
    if rejected:
        yield f"Not loaded, so the warehouse keeps what it had: {', '.join(rejected)}."
    skipped = result.months(MonthState.SKIPPED)
    kept = [name for name in result.unproven if name not in {*failed, *rejected, *skipped}]
    if kept:
        yield f"Loaded although not proven: {', '.join(kept)}."
    if result.ended_by:
        yield f"The run ended before all months had their turn: {result.ended_by}"
    if result.remaining:
        left, which = format_quantity(len(result.remaining), "month"), format_months(result.remaining)
        begin = "No turn had" if result.ended_by else "Stopped in time; not begun"
        yield f"{begin}: {left}, {which}. The next run with resume_since goes on."
    if result.stale:
        yield f"Not as the books have them now, and not read again: {format_months(result.stale)}."
    for old, new in sorted(result.renumbered.items()):
        yield f"Account {old} has the number {new} now."


def _tiles(result: LedgerResult, cells: Mapping[str, Mapping[str, Cell]]) -> Html:
    windows, remaining = len(result.windows), len(result.remaining)
    proven = sum(month.verdict.is_proven for month in result.windows)
    differing = sum(any(cell.difference for cell in row.values()) for row in cells.values())
    changed, rejected, failed, still, skipped, done = (len(result.months(state)) for state in STATES)
    below = [f"{still} unchanged", f"{skipped} not read" if skipped else "", f"{done} done before" if done else ""]
    before = sum(month.rows for month in result.windows if month.state is MonthState.DONE)
    missing = proven + skipped < windows
    entries = [
        (f"{proven} of {windows + remaining}", "months proven", "", "attention" if missing else ""),
        (format_count(result.rows), "postings read", f"{format_count(before)} of them before" if done else "", ""),
        (format_count(changed), "months replaced", ", ".join(filter(None, below)), ""),
        (
            format_count(rejected + failed),
            "months not loaded",
            f"{failed} could not be read" if failed else "",
            "attention" if rejected + failed else "",
        ),
        (format_count(differing), "accounts with a difference", f"of {len(cells)}", "attention" if differing else ""),
    ]
    if result.books_off_by is not None:
        note = "all balances together" if result.books_off_by else "all balances together are zero"
        entries.append((amount(result.books_off_by), "books off by", note, "attention" if result.books_off_by else ""))
    if remaining:
        note, mark = ("the run ended early", "attention") if result.ended_by else ("stopped in time", "")
        entries.append((format_count(remaining), "months remain", note, mark))
    return tiles(entries)


def _differences(result: LedgerResult) -> Iterator[Html]:
    for month in result.windows:
        shown = [reason for reason in month.reasons if _is_shown(reason)]
        if shown:
            yield tag("h3", f"{month.window.name} · {month.verdict.icon} {month.verdict.label}")
            yield from _reasons(shown)


def _is_shown(reason: Reason) -> bool:
    return reason.code in _ALWAYS_SHOWN or (reason.verdict is not Verdict.EXACT and reason.code not in _NEVER_SHOWN)


def _reasons(shown: Sequence[Reason]) -> Iterator[Html]:
    by_code: dict[ReasonCode, list[Reason]] = {}
    for reason in shown[:_REASONS]:
        by_code.setdefault(reason.code, []).append(reason)
    for code, reasons in by_code.items():
        lines = (tag("p", reason.verdict.icon, " ", reason.text) for reason in reasons)
        advice = tag("p", tag("strong", "What to do: "), code.advice, class_="numbers")
        yield tag("div", lines, advice, class_="reason")
    if len(shown) > _REASONS:
        left = len(shown) - _REASONS
        yield tag("p", f"{format_quantity(left, 'further reason')} in the table proofs.", class_="note")


def _volume_note() -> Html:
    return tag(
        "p",
        "A bar is what was read, the line across it what was loaded before. Pale: unchanged. Dashed: not loaded.",
        class_="note",
    )


def _changes(result: LedgerResult) -> Iterator[Html]:
    changed = [(month.window.name, month.changes) for month in result.windows if month.changes]
    if not changed:
        return
    caption = "Vouchers, as against what was loaded before. The table changes of the warehouse has all of them."
    counts = [(month, *(format_count(changes.counts[kind]) for kind in CHANGE_KINDS)) for month, changes in changed]
    yield table(["Month", *(f">{kind.capitalize()}" for kind in CHANGE_KINDS)], counts, caption=caption)
    first = [
        (month, kind, _vouchers(changes.first[kind], changes.counts[kind]))
        for month, changes in changed
        for kind in CHANGE_KINDS
        if changes.counts[kind]
    ]
    named = table(["Month", "Vouchers", "First of them"], first)
    folded = len(first) > _CHANGES
    yield tag("details", tag("summary", "The first vouchers of each kind"), named) if folded else named


def _vouchers(first: Sequence[str], count: int) -> Html:
    """Names that are broken between two lines only where one alone is too long for a line."""
    marks = [","] * (len(first) - 1) + [", …" if count > len(first) else ""]
    return join(*(tag("span", name, mark, " ", class_="voucher") for name, mark in zip(first, marks, strict=True)))


def _balances(
    proofs: Sequence[Mapping[str, Any]], stated: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> Html:
    """Each account over the period. A gap between two months would show as a difference in one of them."""
    basis = {row["accno"]: row["basis"] for row in stated}
    by_account: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted((row for row in proofs if row["accno"] is not None), key=lambda row: row["month"]):
        by_account.setdefault(row["accno"], []).append(row)
    if not by_account:
        return Html("")
    rows = [
        _balance(accno, names.get(accno, ""), found, period=basis.get(accno, "to") == "from_to")
        for accno, found in sorted(by_account.items())
    ]
    heads = ["Account", "?Name", ">?Opening", ">Movement", ">Closing", ">Difference"]
    caption = (
        "CHF, raw: debit negative, credit positive. Closing as the service states it in the last month; differences of "
        "all months added up, with the sign of the gravest verdict."
    )
    return table(heads, rows, caption=caption)


def _balance(accno: str, name: str, found: Sequence[Mapping[str, Any]], *, period: bool) -> tuple[str, ...]:
    """:param period: whether only a period has a figure, as of income and expenses."""
    opening, closing = (None, None) if period else (found[0]["opening"], found[-1]["closing"])
    difference = sum((row["difference"] or _ZERO for row in found), _ZERO)
    moved = sum((row["movements"] or _ZERO for row in found), _ZERO)
    verdict = gravest(Verdict(row["verdict"]) for row in found)
    shown = amount(difference) if verdict is Verdict.EXACT else tag("strong", f"{verdict.icon} {amount(difference)}")
    return accno, name, amount(opening), amount(moved), amount(closing), shown


_CONVENTIONS = {
    "natural": "natural: assets and expenses positive when debited, the others when credited",
    "raw": "as in the postings: credit positive",
    "debit_positive": "debit positive throughout",
    "unknown": "not known yet: no account of the classes 1 to 5 that shows it has moved in a proven month",
    "contradictory": "contradictory: the signs follow no known convention",
}


def _signs(result: LedgerResult) -> Iterator[Html]:
    yield tag("p", "Amounts on this page have the sign of the postings: debit negative, credit positive.")
    entries = [
        (f"{kind.replace('_', ' ').capitalize()} accounts", _CONVENTIONS.get(name, name))
        for kind, name in result.convention.items()
    ]
    if entries:
        yield tag("p", "The service states its balances in this sign, learned once from the data and kept:")
        yield definitions(entries)


def _loads(result: LedgerResult) -> Html:
    rows = [_load(month) for month in result.windows]
    heads = ["Month", "Verdict", "State", ">Postings", ">?Before", ">?Read", ">?Calls", ">?Seconds"]
    caption = f"All under load {result.load_id}; the tables proofs and loads have it in load_id."
    return table(heads, rows, caption=caption) if rows else Html("")


def _load(month: WindowResult) -> tuple[str, ...]:
    return (
        month.window.name,
        f"{month.verdict.icon} {month.verdict.label}",
        month.state.value,
        format_count(month.rows),
        format_count(month.rows_before),
        f"{month.attempts}×",
        format_count(month.calls),
        f"{month.seconds:.1f}",
    )
