"""report.html of an evidence pack: what a person reads or prints; no script, nothing loaded, readable without colour.

It is made from the entries for reading. What counts is what `verify.py` shows, and the page says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agentguard.core.documents.page import page
from agentguard.core.entry import is_observed
from agentguard.core.narration.narrator import Narrator, reason_text
from agentguard.core.narration.told import Told
from agentguard.core.policy import Place
from agentguard.core.prose import inline, moment, printable
from agentguard.engine.pack import Seal, Texts
from agentguard.engine.pack_readme import query_words
from agentguard.store.records import Entry

MOST_ACTIONS = 1_000
"""How many actions are told in full; the others are in entries.csv."""

Body = Mapping[str, Any]
Found = tuple[Entry, dict[str, Any]]
"""An entry with what it says, personal values opened where the pack has them in the clear."""

_MARKS = {
    "allow": "✓ allowed",
    "approved": "✓ approved",
    "settled": "✓ done",
    "escalate": "◷ to people",
    "waiting": "◷ waiting",
    "in_doubt": "? in doubt",
    "deny": "✕ denied",
    "rejected": "✕ rejected",
}
"""What a decision or step is, without a colour."""

_MEANS = """\
<section class="means">
<h2>What this shows, and what it does not</h2>
<div class="columns">
<div>
<h3>Shown</h3>
<ul>
<li>What the audit log says about what was asked for, in words.</li>
<li><code>verify.py</code>, in this pack, proves that each entry is in the signed log, at its place and unchanged, and
that the policy texts are those that decided.</li>
</ul>
</div>
<div>
<h3>Not shown</h3>
<ul>
<li>That no other entry would have fitted, beyond the stretches of positions that verify.py names.</li>
<li>That what was written into the log was true and complete.</li>
<li>Anything by this page itself: it is made for reading. What counts is what verify.py shows.</li>
</ul>
</div>
</div>
<p>To check: <code>python3 -I -S verify.py PACK.zip --key KEY</code>, with the log’s public key from the company by
another way than this pack. README.txt says more.</p>
</section>"""


def report(about: Body, seal: Seal, found: Sequence[Found], narrator: Narrator, texts: Texts) -> bytes:
    """Return the page.

    Args:
        about: What the manifest says.
        seal: What the pack rests on.
        found: The entries in order.
        narrator: Tells entries in words.
        texts: The policies in force.
    """
    actions: dict[str, list[Found]] = {}
    for item in found:
        if item[0].action_id:
            actions.setdefault(item[0].action_id, []).append(item)
    others = [item for item in found if not item[0].action_id]
    content = [
        *_head(about, seal, found),
        *_summary(actions),
        *_rules(found, narrator),
        "<h2 id='actions'>What happened, action by action</h2>",
        *(line for items in list(actions.values())[:MOST_ACTIONS] for line in _action(items, narrator)),
        *_left_out(len(actions)),
        *_others(others, narrator),
        *_policies(texts),
    ]
    title = f"Evidence pack: {query_words(about['query'])}"
    return page(title, "\n".join(["<main>", *content, "</main>"])).encode()


def _text(value: object) -> str:
    """Return words of anybody as they stand in the page: they neither mark it up nor turn its direction around."""
    return escape(printable(str(value)))


def _head(about: Body, seal: Seal, found: Sequence[Found]) -> Iterator[str]:
    asked, checkpoint = about["asked"], seal.checkpoint
    yield "<header><p class='kind'>Evidence pack of the audit log</p>"
    yield f"<h1>{_text(query_words(about['query'])).capitalize()}</h1>"
    first, last = found[0][0], found[-1][0]
    yield from _pairs(
        ("log", checkpoint.origin),
        ("entries", f"{len(found):,} of {checkpoint.size:,}, positions {first.pos} to {last.pos}"),
        ("time", f"{moment(first.at)} to {moment(last.at)} UTC"),
        ("asked for by", f"{asked['by']} (known by {asked['authenticated']}): {asked['why']}"),
        ("root of the log", checkpoint.root.hex()),
        ("signed", _signed(seal)),
        ("personal values", "in the clear: treat this page accordingly" if about["personal"] else "closed"),
    )
    yield "</header>"
    yield _MEANS


def _signed(seal: Seal) -> str:
    if not seal.is_signed:
        return "NO: this log is not sealed; the pack agrees with itself and proves nothing more"
    return f"yes; witnesses: {', '.join(seal.witnesses) or 'none'}"


def _pairs(*pairs: tuple[str, object]) -> Iterator[str]:
    yield "<dl>"
    before = None
    for name, value in pairs:
        yield f"<dt>{'' if name == before else _text(name)}</dt><dd>{_text(value)}</dd>"
        before = name
    yield "</dl>"


def _summary(actions: Mapping[str, Sequence[Found]]) -> Iterator[str]:
    """Yield how each kind of action was first decided, and how it stands at the end."""
    counts: dict[str, Counter[str]] = {}
    for items in actions.values():
        name = next((str(body["action"]) for _, body in items if body.get("action")), "(purged)")
        verdict, state = _came_to(items)
        counts.setdefault(name, Counter()).update(["all", f"v:{verdict}", f"s:{state}"])
    columns = (
        ("actions", "all"),
        ("allowed at once", "v:allow"),
        ("sent to people", "v:escalate"),
        ("denied at once", "v:deny"),
        ("only observed", "v:observed"),
        ("done in the end", "s:settled"),
        ("denied in the end", "s:denied"),
        ("in doubt", "s:in_doubt"),
    )
    yield "<section><h2>Summary</h2><table><thead><tr><th>action</th>"
    yield "".join(f"<th class='n'>{title}</th>" for title, _ in columns) + "</tr></thead><tbody>"
    for name in sorted(counts):
        cells = "".join(f"<td class='n'>{counts[name][key] or '–'}</td>" for _, key in columns)
        yield f"<tr><td><code>{_text(name)}</code></td>{cells}</tr>"
    yield "</tbody></table></section>"


def _rules(found: Sequence[Found], narrator: Narrator) -> Iterator[str]:
    """Yield which rules and limits decided, how often, and where they stand."""
    times: Counter[tuple[str, str, str]] = Counter()
    cells: dict[tuple[str, str, str], tuple[str, str]] = {}
    for _, body in found:
        for reason in body.get("reasons") or () if body["kind"] in ("decided", "refused") else ():
            key = (str(reason["source"]), str(reason["verdict"]), str(body.get("bundle") or ""))
            times[key] += 1
            if key not in cells:
                where = _where(body, key[0], narrator.place(key[2], key[0]))
                cells[key] = _text(reason_text({**reason, "detail": None})), where
    if not times:
        return
    yield "<section><h2>Rules and limits that decided</h2><table><thead><tr><th>rule or limit</th><th>says</th>"
    yield "<th>for example, because</th><th>stands in</th><th class='n'>times</th></tr></thead><tbody>"
    for key in sorted(times):
        row = (f"<code>{_text(key[0])}</code>", _mark(key[1]), *cells[key])
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + f"<td class='n'>{times[key]}</td></tr>"
    yield "</tbody></table></section>"


def _where(body: Body, source: str, place: Place | None) -> str:
    """Return where a rule stands, as a link to the line of the policy text below."""
    used = (body.get("policies") or {}).get(source.partition("/")[0])
    if place is None or used is None:
        return "–"
    return f"<a href='#{_line_id(used['digest'], place.line)}'>{_text(place.file)} line {place.line}</a>"


def _line_id(digest: object, number: int) -> str:
    return f"line-{_text(digest)[:16]}-{number}"


def _mark(word: str) -> str:
    return f"<span class='mark {_text(word)}'>{_text(_MARKS.get(word, word))}</span>" if word else ""


def _action(items: Sequence[Found], narrator: Narrator) -> Iterator[str]:
    """Yield one action from request to its end."""
    entry, body = next(((entry, body) for entry, body in items if body.get("action")), items[0])
    verdict, state = _came_to(items)
    name, id_ = _text(body.get("action") or "purged"), _text(entry.action_id)
    yield f"<article id='{id_}'><h3><code>{name}</code> {_mark(verdict)}<small>{id_}</small></h3>"
    about = [("who", narrator.who(body)), ("asked", inline(body.get("arguments") or {}) or "–"), ("now", state)]
    yield from _pairs(*((name, value) for name, value in about if value))
    yield "<ol class='steps'>"
    for one, said in items:
        yield from _step(one, narrator.tell(said))
    yield "</ol></article>"


def _came_to(items: Sequence[Found]) -> tuple[str, str]:
    """Return how an action was first decided, and how it stood at the end."""
    verdict = next((_verdict(body) for _, body in items if body.get("verdict")), "")
    return verdict, next((str(body["state"]) for _, body in reversed(items) if body.get("state")), "")


def _verdict(body: Body) -> str:
    return "observed" if is_observed(body) else str(body["verdict"])


def _step(entry: Entry, told: Told) -> Iterator[str]:
    yield f"<li><p class='step'><time>{moment(entry.at)}</time> <b>{_text(told.title)}</b>"
    yield f"<span class='pos'>entry {entry.pos}</span></p>"
    if told.details:
        yield from _pairs(*told.details)
    yield "</li>"


def _left_out(actions: int) -> Iterator[str]:
    if actions > MOST_ACTIONS:
        yield f"<p><b>{actions - MOST_ACTIONS:,} more actions are in entries.csv and entries.jsonl.</b></p>"


def _others(others: Sequence[Found], narrator: Narrator) -> Iterator[str]:
    if not others:
        return
    yield "<section><h2 id='others'>What else the log says</h2><ol class='steps'>"
    for entry, body in others[:MOST_ACTIONS]:
        yield from _step(entry, narrator.tell(body))
    yield "</ol></section>"


def _policies(texts: Texts) -> Iterator[str]:
    """Yield the policy files with their lines numbered."""
    if texts.policies:
        yield "<h2 id='policies'>The policies that were in force</h2>"
    for name, (title, version, text) in sorted(texts.policies.items(), key=lambda item: item[1][:2]):
        lines = "\n".join(
            f"<span id='{_line_id(name, number)}'><i>{number:4}</i> {_text(line)}</span>"
            for number, line in enumerate(text.splitlines(), 1)
        )
        yield f"<section class='policy'><h3>{_text(title)}, version {version}</h3>"
        yield f"<p class='digest'>SHA-256 {name}</p><pre>{lines}</pre></section>"
