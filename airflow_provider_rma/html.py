"""Building blocks of HTML pages: everything that is not markup already is escaped.

Pages are files that a person opens, mails or prints: no script, nothing loaded from elsewhere, and a policy that
forbids both. Built without a template library: a few pages do not justify a further dependency of the core, and with
escaping in the one function that makes an element none can be forgotten.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


class Html(str):
    """Markup, as opposed to text."""

    __slots__ = ()


def tag(name: str, *content: str | Iterable[str], **attributes: str) -> Html:
    """An element. Text in it is escaped.

    :param attributes: ``class_`` and ``for_`` stand for names that are words of Python, ``aria_label`` for
        ``aria-label``.
    """
    names = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items() if value
    )
    return Html(f"<{name}{names}>{''.join(_parts(content))}</{name}>")


def join(*parts: str | Iterable[str]) -> Html:
    """Several parts after each other."""
    return Html("".join(_parts(parts)))


def _parts(content: Iterable[str | Iterable[str]]) -> Iterable[str]:
    for part in content:
        if isinstance(part, Html):
            yield part
        elif isinstance(part, str):
            yield html.escape(part)
        else:
            yield from _parts(part)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "") -> Html:
    """A table.

    :param heads: names of the columns; one that begins with ``>`` is of figures, with ``?`` is left out on a phone,
        ``>?`` is both.
    """
    classes = [_classes(head) for head in heads]
    names = [tag("th", head.lstrip(">?"), class_=kind, scope="col") for head, kind in zip(heads, classes, strict=True)]
    lines = (tag("tr", (tag("td", cell, class_=kind) for cell, kind in zip(row, classes, strict=True))) for row in rows)
    title = tag("caption", caption) if caption else Html("")
    body = join(title, tag("thead", tag("tr", names)), tag("tbody", lines))
    return tag("div", tag("table", body), class_="scroll")


def _classes(head: str) -> str:
    marks = head[: len(head) - len(head.lstrip(">?"))]
    return " ".join(name for sign, name in ((">", "figure"), ("?", "wide")) if sign in marks)


def tiles(entries: Iterable[tuple[str, str, str, str]]) -> Html:
    """Figures at a glance.

    :param entries: figure, what it is, a line below, and ``good``, ``attention`` or nothing.
    """
    return tag(
        "ul",
        (
            tag("li", tag("b", figure), tag("span", name), tag("small", below) if below else Html(""), class_=kind)
            for figure, name, below, kind in entries
        ),
        class_="tiles",
    )


def definitions(entries: Iterable[tuple[str, str]]) -> Html:
    """Names and values; those without a value are left out."""
    return tag("dl", (join(tag("dt", name), tag("dd", value)) for name, value in entries if value))


def section(title: str, *content: str) -> Html:
    """A part of a page, nothing if it has no content."""
    return tag("section", tag("h2", title), content) if any(content) else Html("")


def page(title: str, *content: str, style: str = "") -> str:
    """A whole page.

    :param style: rules of this page, beside :data:`STYLE`.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head>\n"
        f"<body><main>{''.join(_parts(content))}</main></body></html>\n"
    )


STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b2430; --soft: #4b5768; --line: #d5dbe3;
  --good: #0b6238; --attention: #9a1b1b; --care: #7a4a00;
  --good-ground: #ebf7f0; --attention-ground: #fdeeee; --care-ground: #fff6e3; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #151a20; --ink: #e6ebf1; --soft: #a9b4c1; --line: #38424e;
    --good: #74d3a0; --attention: #ff9d92; --care: #e3b15c;
    --good-ground: #14291e; --attention-ground: #351c1c; --care-ground: #2d2512; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; padding-bottom: .25rem; border-bottom: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .35rem 0; }
.lead { color: var(--soft); font-size: 1.05rem; } .note { color: var(--soft); font-size: .9rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: 1rem 0; font-size: .95rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.tiles { list-style: none; margin: 1.25rem 0; padding: 0; display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.tiles li { border: 1px solid var(--line); border-left: 6px solid var(--line); border-radius: 6px;
  padding: .6rem .9rem; display: flex; flex-direction: column; }
.tiles b { font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tiles small { color: var(--soft); }
.tiles .good { border-left-color: var(--good); } .tiles .good b { color: var(--good); }
.tiles .attention { border-left-color: var(--attention); } .tiles .attention b { color: var(--attention); }
.notice { border-left: 6px solid var(--care); background: var(--care-ground); padding: .6rem 1rem; margin: .6rem 0;
  border-radius: 0 6px 6px 0; }
.notice.attention { border-color: var(--attention); background: var(--attention-ground); }
.notice.good { border-color: var(--good); background: var(--good-ground); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .35rem; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; border-bottom-color: var(--soft); white-space: nowrap; }
td { overflow-wrap: break-word; }
.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal; }
th.figure:last-child, td.figure:last-child { padding-right: 0; }
.reason { margin: .8rem 0; padding-left: 1rem; border-left: 3px solid var(--line); }
.reason p { margin: .1rem 0; } .numbers { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
code { font: .88em ui-monospace, "DejaVu Sans Mono", Consolas, monospace; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  main { padding: 1.25rem .9rem 3rem; } .wide { display: none; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; } .tiles b { font-size: 1.2rem; }
  table { font-size: .86rem; } th, td { padding-right: .5rem; }
}
@media print {
  @page { size: A4; margin: 15mm; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } .scroll { overflow: visible; }
  thead { display: table-header-group; } tr, .reason, .notice, .tiles li { break-inside: avoid; }
  h2, h3 { break-after: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
