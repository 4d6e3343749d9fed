"""Style of the page: system fonts, tabular figures, light and dark, readable on a phone."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2326; --soft: #5b676d; --line: #d9e0e2; --paper: #fff; --ground: #f4f6f6;
  --accent: #0b5c66; --alarm: #a3231b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ecee; --soft: #9fadb3; --line: #333e43; --paper: #1b2226;
  --ground: #12181b; --accent: #6cc5cf; --alarm: #ff9a8f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem; color: var(--ink);
  background: var(--ground); font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .1rem 0; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; font-weight: 400; }
h3 span { color: var(--soft); }
.kicker, .state, article p, .none { color: var(--soft); margin: .15rem 0; font-size: .92rem; }
nav { margin-top: 1rem; display: flex; flex-wrap: wrap; gap: .35rem 1.25rem; }
a { color: var(--accent); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.1rem 0 0; }
.figures div, .scroll, article { background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; }
.figures div { padding: .65rem .9rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: .8rem; color: var(--soft); }
.alarm dd, .alarm small, .overdue { color: var(--alarm); }
.overdue { display: block; white-space: nowrap; font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .34rem .8rem; }
thead th { color: var(--soft); font-size: .82rem; font-weight: 500; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; font-variant-numeric: tabular-nums; }
tbody tr + tr > * { border-top: 1px solid color-mix(in srgb, var(--line) 55%, transparent); }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.accounts .class > * { font-weight: 650; padding-top: 1rem; border-bottom: 1px solid var(--line); }
.accounts tbody tr:not(.class) th { color: var(--soft); width: 4.5rem; }
.cards { display: grid; gap: .9rem; }
main { display: grid; gap: 0 2rem; align-items: start; }
@media (min-width: 62rem) { main { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
article { background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; }
.figures div { padding: .65rem .9rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: .8rem; color: var(--soft); }
.alarm dd, .alarm small, .overdue { color: var(--alarm); }
.overdue { display: block; white-space: nowrap; font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .34rem .8rem; }
thead th { color: var(--soft); font-size: .82rem; font-weight: 500; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; font-variant-numeric: tabular-nums; }
tbody tr + tr > * { border-top: 1px solid color-mix(in srgb, var(--line) 55%, transparent); }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.accounts .class > * { font-weight: 650; padding-top: 1rem; border-bottom: 1px solid var(--line); }
.accounts tbody tr:not(.class) th { color: var(--soft); width: 4.5rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); gap: .9rem;
  align-items: start; }
article .n { width: 5.5rem; }
article { padding: .8rem 0 .5rem; }
article h3, article p { padding: 0 .9rem; }
article table { margin-top: .45rem; font-size: .93rem; }
td small { display: block; color: var(--soft); }
article th:first-child, article td:first-child { padding-left: .9rem; }
@media (max-width: 40rem) { th, td { padding: .34rem .4rem; } table { font-size: .93rem; } }
"""
