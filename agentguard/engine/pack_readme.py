"""README.txt of an evidence pack: what it is, how to check it, what it proves and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentguard.engine.pack import Seal

_TEXT = """\
AN EVIDENCE PACK OF AGENTGUARD

{entries} entries of the audit log {origin},
which had {size} entries then. Asked for: {query}.
{personal}
HOW TO CHECK IT, on a machine with Python 3.9 or later and nothing else

    python3 -I -S verify.py PACK.zip --key KEY              everything; what holds and what does not
    python3 -I -S verify.py PACK.zip --key KEY list deny    the entries that have a word
    python3 -I -S verify.py PACK.zip --key KEY show 17      one entry, or an action by its id, in words
    python3 -I -S verify.py PACK.zip --key KEY policy 17    the policies it was decided by, the rule marked

PACK.zip is this ZIP as you got it; only verify.py has to be taken out of it. Better still, take verify.py from a
release of agentguard: whoever makes a false pack can put a false verify.py into it. It has no dependencies, and is
meant to be read. For the same reason KEY, the log's public key, has to come to you by another way than this pack:
{signed}
WHAT IS IN IT

    report.html             for people: a summary, every action in words, the policies; nothing in it is loaded or run
    entries.jsonl           the entries: their exact bytes in base 64, and beside them what these bytes say
    entries.csv             the same as a table, shortened
    checkpoint.txt          the log's size and root, signed: a C2SP checkpoint
    proofs/inclusion.jsonl  for each entry, what proves that it is in the log under that root (RFC 9162)
    proofs/consistency.jsonl  what proves that the log continues older checkpoints
    policies/, bundles/     the policy files that were in force, under the SHA-256 that the entries name
    keys.txt                the keys that the log says it was signed with; believe them only if you know them otherwise
    manifest.json           the query, who asked for it and why, and the SHA-256 of every file
    verify.py               what checks all of this

WHAT IT PROVES, once verify.py says `proven`

    - Each entry is in the log that the key signed, at its place, and not a byte of it has changed since.
    - The policy texts are those that the entries name.
    - Between the ends of a stretch of positions no entry was left out.

WHAT IT DOES NOT PROVE

    - That no other entry would have fitted the query, or that this was the query: whoever makes a pack writes it down.
      Positions outside of the stretches are not in the pack.
    - That what was written into the log was true, or that everything that happened was written into it.
    - That the log's owner does not keep a second log. Only a witness elsewhere, or a checkpoint that you kept, shows
      that: `--witness KEY`, `--checkpoint FILE`.
    - Anything about report.html: it is made from the entries for reading. What counts is what verify.py shows.
"""

_SIGNED = """\
the checkpoint is signed by {keys}.{witnesses}
Ask the company for the key in full, and compare.
"""
_UNSIGNED = """\
but THIS LOG IS NOT SEALED, and nobody signed the checkpoint. The pack agrees with itself, and proves nothing more.
"""
_PERSONAL = "\nPERSONAL VALUES ARE IN THE CLEAR in personal.jsonl and report.html. Treat it accordingly.\n"


def readme(about: Mapping[str, Any], seal: Seal, keys: str) -> bytes:
    """Return the text.

    Args:
        about: What the manifest says.
        seal: What the pack rests on.
        keys: The names and ids of the keys that signed, in words.
    """
    seen = f" Witnesses signed it too: {', '.join(seal.witnesses)}." if seal.witnesses else ""
    text = _TEXT.format(
        entries=about["entries"],
        origin=seal.checkpoint.origin,
        size=seal.checkpoint.size,
        query=query_words(about["query"]),
        personal=_PERSONAL if about["personal"] else "",
        signed=_SIGNED.format(keys=keys, witnesses=seen) if seal.is_signed else _UNSIGNED,
    )
    return text.encode()


def query_words(query: Mapping[str, Any]) -> str:
    """Return what was asked for in words."""
    words = [f"{name.replace('_', ' ')} {value}" for name, value in query.items()]
    return ", ".join(words) or "everything"
