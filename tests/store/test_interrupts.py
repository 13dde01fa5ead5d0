"""Threads that a signal ends at any place in the midst of a commit: others go on at once, and nothing is half done."""

import dis
import sys
import threading

import pytest

from agentguard.store import Store
from agentguard.store.verification import verify
from agentguard.testing.clock import ManualClock

FILES = ("committer.py", "writer.py", "database.py", "turn.py", "connections.py", "channel.py", "unit.py", "batch.py")
SIGNALS_COME_AFTER = {"CALL", "CALL_FUNCTION_EX", "JUMP_BACKWARD", "RESUME"}
"""What Python does before it looks whether a signal has come."""


class InterruptAt:
    """Raises `KeyboardInterrupt` at the n-th place at which a signal could reach this thread within the store."""

    def __init__(self, number):
        self.left = number
        self.raised = False

    def __call__(self, frame, event, _):
        if not frame.f_code.co_filename.endswith(FILES) or "/store/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        names = {each.offset: each.opname for each in dis.get_instructions(frame.f_code)}
        before = None

        def trace(frame, event, _):
            nonlocal before
            if event == "opcode":
                last, before = before, names.get(frame.f_lasti)
                if last in SIGNALS_COME_AFTER and not self.raised:
                    self.left -= 1
                    if self.left < 0:
                        self.raised = True
                        raise KeyboardInterrupt
            return trace

        return trace


def noted(name):
    return lambda transaction: transaction.append({"tenant": "t", "kind": "noted", "note": name}).pos


def interrupted(store, number):
    """Commit a unit of work in this thread that is told to end on the way; return whether it was."""
    interrupt, before = InterruptAt(number), sys.gettrace()
    sys.settrace(interrupt)
    try:
        store.transact(noted(f"mine {number}"))
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    assert not interrupt.raised, "an interrupt was swallowed"
    return False


def of_others(store, name):
    """Commit a unit of work in another thread, which has to be answered soon."""
    found = []
    thread = threading.Thread(target=lambda: found.append(store.transact(noted(name))), daemon=True)
    thread.start()
    thread.join(3)
    assert found, "others wait for a thread that was told to end"


@pytest.mark.law(5)
def test_a_thread_that_is_told_to_end_anywhere_in_a_commit_keeps_nobody_waiting(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'a.db'}", ManualClock(), patience=1.0)
    store.transact(noted("first"))
    number = 0
    while interrupted(store, number):
        of_others(store, f"theirs {number}")
        number += 1
    assert number > 50
    notes = [entry.document["note"] for entry in store.read(lambda reading: reading.entries(0, 10_000))]
    assert len(notes) == len(set(notes))
    assert [note for note in notes if note.startswith("theirs")] == [f"theirs {n}" for n in range(number)]
    assert verify(store).ok
    store.close()


def test_units_of_others_in_a_commit_that_is_interrupted_are_committed_once_and_answered(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'a.db'}", ManualClock(), patience=1.0)
    store.transact(noted("first"))
    number = going_on = 0
    while going_on < 2:
        answers, others = [], []

        def come_while_it_runs(transaction, answers=answers, others=others, number=number):
            """Have two others wait for the commit after this one, which this thread hands on."""
            if not others:
                for name in ("a", "b"):
                    work = noted(f"{name} {number}")
                    others.append(threading.Thread(target=lambda work=work: answers.append(store.transact(work))))
                    others[-1].start()
            return transaction.position()

        interrupt, before = InterruptAt(number), sys.gettrace()
        sys.settrace(interrupt)
        try:
            store.transact(come_while_it_runs)
        except KeyboardInterrupt:
            pass
        else:
            going_on += 1
        finally:
            sys.settrace(before)
        for other in others:
            other.join(3)
        assert len(answers) == len(others)
        number += 11
    notes = [entry.document["note"] for entry in store.read(lambda reading: reading.entries(0, 10_000))]
    assert len(notes) == len(set(notes))
    assert verify(store).ok
    store.close()
