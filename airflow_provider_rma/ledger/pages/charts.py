"""The drawn parts of the page of a run: months × accounts as a heat map, and postings per month as bars.

Neither says anything by colour alone: each verdict has its icon and its name, each bar its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_rma.formatting import format_count, format_quantity
from airflow_provider_rma.html import Html, join, tag
from airflow_provider_rma.ledger.proof.verdicts import Verdict
from airflow_provider_rma.ledger.result import MonthState, WindowResult

#: Accounts that are shown at once although they are exact throughout; more are folded away.
_SHOWN = 12


@dataclass(frozen=True)
class Cell:
    """One account in one month."""

    verdict: Verdict
    difference: Decimal | None


def amount(value: Decimal | None, missing: str = "–") -> str:
    """Format an amount in Swiss notation with all its places, two at least: ``1'234.50``, ``0.00000001``."""
    if value is None:
        return missing
    whole, _, places = format(value, "f").partition(".")
    sign, digits = ("−", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{format_count(int(digits))}.{places.rstrip('0').ljust(2, '0')}"


def cells_by_account(proofs: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Cell]]:
    """Make the cells by account and name of the month (``2026-08``).

    :param proofs: rows of the table of that name; those of windows as a whole are left out.
    """
    found: dict[str, dict[str, Cell]] = {}
    for row in proofs:
        if row["accno"] is not None:
            cell = Cell(Verdict(row["verdict"]), row["difference"])
            found.setdefault(row["accno"], {})[f"{row['month']:%Y-%m}"] = cell
    return found


def heat_map(
    windows: Sequence[WindowResult], cells: Mapping[str, Mapping[str, Cell]], names: Mapping[str, str]
) -> Html:
    """Draw the verdict on each account in each month. Accounts with something to look at come first.

    :param cells: see :func:`cells_by_account`.
    :param names: account names.
    """
    if not windows:
        return Html("")
    doubtful = [accno for accno in sorted(cells) if any(cell.verdict != "exact" for cell in cells[accno].values())]
    clean = [accno for accno in sorted(cells) if accno not in set(doubtful)]
    if len(clean) <= _SHOWN:
        return join(_legend(windows, cells), _map(windows, [*doubtful, *clean], cells, names, whole=True))
    folded = tag(
        "details",
        tag("summary", f"{format_quantity(len(clean), 'account')} exact in every month"),
        _map(windows, clean, cells, names, whole=False),
    )
    return join(_legend(windows, cells), _map(windows, doubtful, cells, names, whole=True), folded)


def _legend(windows: Sequence[WindowResult], cells: Mapping[str, Mapping[str, Cell]]) -> Html:
    used = {month.verdict for month in windows} | {cell.verdict for row in cells.values() for cell in row.values()}
    entries = [
        tag("span", tag("b", verdict.icon), " ", verdict.label, class_=f"key v-{verdict.value}")
        for verdict in Verdict
        if verdict in used
    ]
    entries.append(tag("span", tag("b", "·"), " nothing to check", class_="key"))
    return tag("p", entries, class_="legend")


def _map(
    windows: Sequence[WindowResult],
    accounts: Sequence[str],
    cells: Mapping[str, Mapping[str, Cell]],
    names: Mapping[str, str],
    *,
    whole: bool,
) -> Html:
    months = [month.window.name for month in windows]
    head = tag("tr", tag("th", "Account", scope="col"), (tag("th", month, scope="col") for month in months))
    rows = [_whole(windows)] if whole else []
    rows += [_row(accno, names.get(accno, ""), [cells[accno].get(month) for month in months]) for accno in accounts]
    body = tag("table", tag("thead", head), tag("tbody", rows), class_="map")
    # Reached with the keyboard: what does not fit is scrolled.
    return tag("div", body, class_="scroll", tabindex="0", role="region", aria_label="Verdicts by account and month")


def _whole(windows: Sequence[WindowResult]) -> Html:
    filled = (_cell(month.verdict, month.state.label) for month in windows)
    return tag("tr", tag("th", "Whole month", scope="row"), filled, class_="whole")


def _row(accno: str, name: str, cells: Sequence[Cell | None]) -> Html:
    head = tag("th", tag("b", accno), tag("span", name, class_="name") if name else Html(""), scope="row")
    return tag("tr", head, (_account_cell(cell) for cell in cells))


def _account_cell(cell: Cell | None) -> Html:
    if cell is None:
        return tag("td", "·", class_="none", title="nothing to check")
    return _cell(cell.verdict, amount(cell.difference) if cell.difference else "")


def _cell(verdict: Verdict, below: str) -> Html:
    shown = tag("b", verdict.icon, role="img", aria_label=verdict.label)
    note = tag("small", below) if below else Html("")
    return tag("td", shown, note, class_=f"v-{verdict.value}", title=verdict.label)


_BAR, _GAP, _HEIGHT, _ABOVE, _BELOW = 44, 24, 130, 22, 40
SHADES = {
    MonthState.CHANGED: "bar",
    MonthState.UNCHANGED: "bar still",
    MonthState.SKIPPED: "bar still",
    MonthState.DONE: "bar still",
    MonthState.REJECTED: "bar refused",
    MonthState.FAILED: "bar refused",
}


def volumes(windows: Sequence[WindowResult]) -> Html:
    """Draw the postings read per month as bars, with a line for those that were loaded before."""
    if not windows:
        return Html("")
    highest = max(max(month.rows, month.rows_before) for month in windows) or 1
    step = _BAR + _GAP
    width, height = _GAP + step * len(windows), _ABOVE + _HEIGHT + _BELOW
    drawn = [_bar(month, _GAP + step * place, highest) for place, month in enumerate(windows)]
    base = _shape("line", x1=0, x2=width, y1=_ABOVE + _HEIGHT, y2=_ABOVE + _HEIGHT, class_="base")
    listed = ", ".join(f"{month.window.name} {format_count(month.rows)}" for month in windows)
    picture = tag(
        "svg", drawn, base, width=str(width), height=str(height), viewBox=f"0 0 {width} {height}", role="img",
        aria_label=f"Postings by month: {listed}", class_="volumes",
    )  # fmt: skip
    return tag("div", picture, class_="scroll", tabindex="0", role="region", aria_label="Postings by month")


def _bar(month: WindowResult, left: int, highest: int) -> Html:
    ground, middle = _ABOVE + _HEIGHT, left + _BAR // 2
    tall, before = (round(_HEIGHT * rows / highest) for rows in (month.rows, month.rows_before))
    postings = format_quantity(month.rows, "posting")
    title = f"{month.window.name}: {postings}, {format_count(month.rows_before)} before, {month.state.label}"
    mark = ground - before
    parts = [
        tag("title", title),
        _shape("rect", x=left, y=ground - tall, width=_BAR, height=tall, class_=SHADES[month.state]),
        _shape("line", x1=left - 4, x2=left + _BAR + 4, y1=mark, y2=mark, class_="before"),
        _shape("text", format_count(month.rows), x=middle, y=ground - max(tall, before) - 6, class_="count"),
        _shape("text", month.window.name, x=middle, y=ground + 17, class_="month"),
        _shape("text", month.state.label, x=middle, y=ground + 33, class_="state"),
    ]
    return tag("g", parts)


def _shape(name: str, *content: str, **attributes: int | str) -> Html:
    return tag(name, *content, **{key: str(value) for key, value in attributes.items()})


#: Rules of these parts.
STYLE = """
.verdict { display: flex; gap: 1.1rem; align-items: center; padding: 1rem 1.25rem; }
.verdict strong { font-size: 1.7rem; line-height: 1.2; } .verdict .seal { font-size: 3rem; line-height: 1; }
.verdict.good .seal, .verdict.good strong { color: var(--good); }
.verdict.attention .seal, .verdict.attention strong { color: var(--attention); }
td:first-child { white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem .6rem; font-size: .88rem; }
.key { border: 1px solid var(--line); border-radius: 4px; padding: .05rem .5rem; white-space: nowrap; }
.map { width: auto; font-size: .88rem; border-collapse: separate; border-spacing: 2px; }
.map th, .map td { border: 0; padding: .3rem .45rem; vertical-align: middle; }
.map td { text-align: center; min-width: 4.4rem; border-radius: 4px; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.map td b { font-size: 1.05rem; } .map td small { display: block; font-size: .8rem; }
.map thead th { text-align: center; } .map thead th:first-child, .map tbody th { text-align: left; }
.map tbody th, .map thead th:first-child { position: sticky; left: 0; background: var(--paper); color: var(--ink); }
.map tbody th { font-weight: 400; min-width: 7rem; max-width: 15rem; white-space: normal; line-height: 1.25;
  overflow-wrap: break-word; }
.map .name { display: block; color: var(--soft); font-size: .82rem; }
.map .whole th { font-weight: 600; } .map .whole td { padding: .5rem .45rem; }
.map .none { color: var(--soft); }
.v-balances_only { background: #e3eef5; color: #17405c; }
.v-exact { background: #dff1e6; color: #0b4a2b; } .v-tolerated { background: #fdf0cc; color: #5d3a00; }
.v-unproven { background: #e6e8f7; color: #2b2f6b; }
.v-broken, .v-broken_chain, .v-suspicious_empty { background: #9a1b1b; color: #fff; }
.v-unsettled { background: #f7d9c4; color: #6b2c00; }
.voucher { display: inline-block; margin-right: .35em; } .scroll + .scroll { margin-top: 1.25rem; }
details { margin: .75rem 0; } summary { cursor: pointer; color: var(--soft); padding: .3rem 0; }
.volumes { display: block; max-width: none; font-size: 12px; }
.volumes text { text-anchor: middle; fill: var(--ink); font-variant-numeric: tabular-nums; }
.volumes .state { fill: var(--soft); font-size: 11px; } .volumes .base { stroke: var(--soft); }
.volumes .bar { fill: #2f6690; } .volumes .still { fill: #a9c0d2; }
.volumes .refused { fill: var(--paper); stroke: var(--attention); stroke-width: 2; stroke-dasharray: 5 3; }
.volumes .before { stroke: var(--ink); stroke-width: 2; }
.scroll:focus-visible { outline: 2px solid #2f6690; outline-offset: 2px; }
@media screen and (prefers-color-scheme: dark) {
  .v-balances_only { background: #1c3242; color: #bcdcf0; }
  .v-exact { background: #17382a; color: #a8e3c3; } .v-tolerated { background: #40330f; color: #f4d68c; }
  .v-unproven { background: #2b2e57; color: #cfd2f7; } .v-unsettled { background: #4a2a14; color: #f6c9a6; }
  .volumes .bar { fill: #5b9bcb; } .volumes .still { fill: #3d5468; }
}
@media (max-width: 600px) {
  .map td { min-width: 3.6rem; padding: .25rem; } .map tbody th { min-width: 5.5rem; max-width: 7.5rem; }
  .map .name { font-size: .75rem; }
}
"""
