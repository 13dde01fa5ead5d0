"""How a page looks, on a screen and on paper: documents, and the report of an evidence pack."""

STYLE = """
:root { --ink: #1c2126; --soft: #59636e; --line: #d5dae0; --pale: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0; background: #eceff2; color: var(--ink); font: 15px/1.5 "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 2rem auto; padding: 2.5rem 3rem; background: #fff; border: 1px solid var(--line); }
header { border-bottom: 3px solid var(--ink); padding-bottom: 1.2rem; margin-bottom: 1.5rem; }
.kind { margin: 0; text-transform: uppercase; letter-spacing: .08em; font-size: .78rem; color: var(--soft); }
h1 { margin: .1rem 0 1rem; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.2rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
h3 { margin: 0 0 .5rem; font-size: 1.02rem; }
code, pre, .digest, .pos, time { font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .86em; }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .12rem 1rem; margin: .3rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { font-size: .8rem; color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--ink); }
td { overflow-wrap: break-word; }
td:first-child { white-space: nowrap; }
td a { color: inherit; }
:target { background: #fff3b8; color: var(--ink); }
.n { text-align: right; white-space: nowrap; }
th.n { white-space: normal; }
.means { background: var(--pale); border: 1px solid var(--line); padding: .2rem 1.3rem 1rem; }
.means h2 { border: 0; margin: 1rem 0 .4rem; }
.means ul { margin: 0; padding-left: 1.1rem; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 2rem; }
article { border: 1px solid var(--line); border-left: 4px solid var(--ink); padding: 1rem 1.3rem; margin: 0 0 1.2rem; }
article h3 { display: flex; gap: .7rem; align-items: baseline; flex-wrap: wrap; }
article small { color: var(--soft); font-weight: 400; font-size: .78rem; margin-left: auto; }
.mark { display: inline-block; border: 1px solid currentColor; border-radius: 3px; padding: 0 .45rem; }
.mark { font-size: .8rem; white-space: nowrap; }
.mark.allow, .mark.approved, .mark.settled { color: #14683a; }
.mark.escalate, .mark.waiting, .mark.in_doubt { color: #7a4d00; border-style: dashed; }
.mark.deny, .mark.rejected { color: #9b1c1c; border-width: 2px; font-weight: 600; }
.steps { list-style: none; margin: .8rem 0 0; padding: 0; }
.steps li { border-top: 1px solid var(--line); padding: .6rem 0; }
.steps li:last-child { padding-bottom: 0; }
.step { margin: 0 0 .25rem; }
.step time { color: var(--soft); margin-right: .6rem; }
.pos { float: right; color: var(--soft); }
.steps dl { font-size: .92rem; margin-left: 1rem; }
pre { background: var(--pale); border: 1px solid var(--line); padding: .8rem 1rem; line-height: 1.45; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
pre i { color: var(--soft); font-style: normal; user-select: none; }
.digest { color: var(--soft); margin: 0; overflow-wrap: anywhere; }
@media (max-width: 46rem) {
  main { margin: 0; padding: 1.2rem; border: 0; }
  .columns, dl { grid-template-columns: 1fr; gap: .1rem; }
  dd { margin-bottom: .4rem; }
  td:first-child { white-space: normal; }
}
@page { margin: 18mm 15mm; }
@media print {
  body { background: #fff; font-size: 10.5pt; }
  main { margin: 0; padding: 0; border: 0; max-width: none; }
  .means, tr, li, header, article:not(:has(.steps)) { break-inside: avoid; }
  h2, h3, .step, article > dl:not(:last-child) { break-after: avoid; }
  dt, dd { break-inside: avoid; }
  thead { display: table-header-group; }
  .policy { break-before: page; }
}
"""
