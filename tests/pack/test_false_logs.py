"""Logs that were false when they were signed: every proof holds, and what the entries say of each other does not."""

import json
from base64 import b64encode

import pytest

from agentguard.evidence import tree, verify
from agentguard.evidence.checkpoint import Checkpoint, signed
from tests.pack.conftest import KEY, zipped
from tests.pack.test_verify_signatures import Known


def body(seq, prev, **more):
    about = {
        "v": 1,
        "log": "x",
        "stream": "default",
        "seq": seq,
        "prev": prev,
        "ts_us": 1_000_000 * seq,
        "kind": "told",
    }
    return {**about, "tenant": "default", **more}


def pack_of(folder, bodies, more=None):
    """A pack of a log with these entries, in which everything fits."""
    data = [verify.canonical(each) for each in bodies]
    leaves = [tree.leaf_hash(each) for each in data]
    known, size = Known(leaves), len(leaves)
    root = tree.tree_root(known, size)
    lines, proofs = [], []
    for index, (said, each, leaf) in enumerate(zip(bodies, data, leaves, strict=True)):
        shown = {"pos": index + 1, "leaf": leaf.hex(), "body": b64encode(each).decode(), "entry": said}
        lines.append(verify.canonical(shown) + b"\n")
        proof = [b64encode(hash_).decode() for hash_ in tree.inclusion_proof(known, index, size)]
        proofs.append(verify.canonical({"pos": index + 1, "proof": proof}) + b"\n")
    rows = [
        verify.row_of(index + 1, leaf.hex(), said)
        for index, (leaf, said) in enumerate(zip(leaves, bodies, strict=True))
    ]
    about = {
        "log": {"origin": "agentguard/x", "size": size, "root": root.hex()},
        "entries": size,
        "query": {},
        "asked": {},
    }
    files = {
        "README.txt": b"",
        "report.html": b"",
        "entries.csv": "".join(map(verify.csv_line, [verify.COLUMNS, *rows])).encode(),
        "entries.jsonl": b"".join(lines),
        "checkpoint.txt": signed(Checkpoint("agentguard/x", size, root), KEY).encode(),
        "proofs/inclusion.jsonl": b"".join(proofs),
        "proofs/consistency.jsonl": b"",
        "keys.txt": f"{KEY.key.text}\n".encode(),
        "verify.py": b"",
        "manifest.json": json.dumps(about).encode(),
    }
    return zipped(folder / "false.zip", files | (more or {}), consistent=True)


def chained(*changes):
    """Entries of one stream, each with what is changed in it."""
    bodies, prev = [], None
    for number, change in enumerate(changes, start=1):
        bodies.append(body(number, prev) | change)
        prev = tree.leaf_hash(verify.canonical(bodies[-1])).hex()
    return bodies


@pytest.mark.parametrize(
    "changes,found",
    [
        ([{}, {}, {}], None),
        ([{}, {"log": "y"}, {}], "entry 2: it is of another log"),
        ([{}, {"ts_us": 999_999}, {}], "entry 2: backdated"),
        ([{}, {"ts_us": 1_000_000}, {}], None),
        ([{}, {"prev": "00" * 32}, {}], "entry 2: it does not follow entry 1"),
        ([{}, {"seq": 1}, {}], "entry 2: its number in its stream is out of order"),
        ([{}, {"seq": 7, "prev": "00" * 32}, {"seq": 9, "prev": "00" * 32}], None),
        ([{}, {"stream": "other", "seq": 1, "prev": None}, {"seq": 5, "prev": "00" * 32}], None),
        ([{}, {"policies": {"p": {"digest": "a" * 64, "version": 1}}}], "entry 2 names it"),
        ([{}, {"bundle": "a" * 64}], "entry 2 names it"),
    ],
)
def test_what_entries_say_of_each_other_has_to_fit(changes, found, tmp_path, capsys):
    code = verify.main([str(pack_of(tmp_path, chained(*changes))), "--key", KEY.key.text])
    said = capsys.readouterr().out
    assert code == (0 if found is None else 1), said
    assert found is None or found in said


def test_a_policy_that_was_in_force_and_decided_nothing_has_to_be_there_too(tmp_path, capsys):
    text = b"policy: one"
    policy = verify.hashlib.sha256(text).hexdigest()
    listed = f"one {policy}\n".encode()
    bundle = verify.hashlib.sha256(listed).hexdigest()
    bodies = chained({"bundle": bundle})
    files = {f"bundles/{bundle}.txt": listed, f"policies/{policy}.yaml": text}
    assert verify.main([str(pack_of(tmp_path, bodies, files)), "--key", KEY.key.text]) == 0
    del files[f"policies/{policy}.yaml"]
    assert verify.main([str(pack_of(tmp_path, bodies, files)), "--key", KEY.key.text]) == 1
    assert "names it" in capsys.readouterr().out
