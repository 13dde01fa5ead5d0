"""What counts as a save: as editors really write files, and nothing else. Time is the scenario's own."""

import os

import pytest

from agentguard.cli import saves as module
from agentguard.cli.saves import EMPTIED, LONGEST, PAUSE, SETTLED, saves

TEXT = "agentguard: 1\npolicy: p\n"
SOON = SETTLED / 3
LATER = PAUSE + 2 * SETTLED
AFTERWARDS = 5


class Time:
    """Passes only while somebody waits; what an editor does happens meanwhile, one step after the other."""

    def __init__(self, folder, steps):
        self.now = 0.0
        self._folder = folder
        self._steps = steps
        self._next = 0.1

    def __call__(self):
        return self.now

    @property
    def told(self):
        return self._steps is None and self.now > self._next

    def wait(self, seconds):
        self.now += seconds
        while self._steps is not None and self._next <= self.now:
            pause = next(self._steps, None)
            self._next += AFTERWARDS if pause is None else pause
            self._steps = None if pause is None else self._steps
            self._stamp()

    def _stamp(self):
        """Files know when they were written, in the scenario's time."""
        for file in self._folder.rglob("*"):
            if file.is_file():
                os.utime(file, ns=(int(self.now * 1e9),) * 2)


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """Let an editor do something in a folder that has a policy in it; return the saves that were seen."""
    (tmp_path / "p.yaml").write_text(TEXT)

    def watched(steps, of=tmp_path):
        time = Time(tmp_path, steps(tmp_path))
        monkeypatch.setattr(module, "monotonic", time)
        first, *found = [[str(path.relative_to(tmp_path)) for path in changed] for changed in saves(of, time)]
        assert first == []
        return found

    return watched


def in_place(folder):
    yield LATER
    (folder / "p.yaml").write_text(TEXT + "version: 2\n")
    yield LATER


def renamed_over(folder):
    (folder / "p.yaml.tmp").write_text(TEXT + "version: 3\n")
    yield LATER
    (folder / "p.yaml.tmp").replace(folder / "p.yaml")
    yield LATER


def as_vim_saves(folder):
    (folder / ".p.yaml.swp").write_bytes(b"b0VIM 9.0")
    yield LATER
    (folder / "4913").write_text("")
    (folder / "4913").unlink()
    (folder / "p.yaml").rename(folder / "p.yaml~")
    yield SOON
    (folder / "p.yaml").write_text(TEXT + "version: 4\n")
    yield SOON
    (folder / "p.yaml~").unlink()
    yield LATER
    (folder / ".p.yaml.swp").unlink()
    yield LATER


def as_emacs_saves(folder):
    (folder / ".#p.yaml").symlink_to("ann@laptop.1234:1")
    yield LATER
    (folder / "#p.yaml#").write_text("half")
    yield LATER
    (folder / "p.yaml").write_text(TEXT + "version: 2\n")
    (folder / "#p.yaml#").unlink()
    (folder / ".#p.yaml").unlink()
    yield LATER


def emptied_and_filled_later(folder):
    (folder / "p.yaml").write_text("")
    yield EMPTIED - 2 * SETTLED
    (folder / "p.yaml").write_text(TEXT + "version: 5\n")
    yield LATER


def bit_by_bit(folder):
    for end in range(0, len(TEXT) + 1, 5):
        (folder / "p.yaml").write_text(TEXT[:end])
        yield SOON
    (folder / "p.yaml").write_text(TEXT + "version: 6\n")
    yield LATER


def gone_for_a_moment(folder):
    (folder / "p.yaml").unlink()
    yield EMPTIED - 2 * SETTLED
    (folder / "p.yaml").write_text(TEXT + "version: 7\n")
    yield LATER


EDITORS = [
    in_place, renamed_over, as_vim_saves, as_emacs_saves, emptied_and_filled_later, bit_by_bit, gone_for_a_moment
]  # fmt: skip


@pytest.mark.parametrize("save", EDITORS)
def test_a_save_is_seen_once_and_whole_however_an_editor_writes(seen, tmp_path, save):
    assert seen(save) == [["p.yaml"]]
    assert (tmp_path / "p.yaml").read_text().startswith(TEXT + "version: ")


def test_saves_that_change_nothing_are_none(seen):
    def again(folder):
        (folder / "p.yaml").touch()
        yield LATER
        (folder / "p.yaml").write_text(TEXT)
        yield LATER

    assert seen(again) == []


def test_what_is_not_yaml_is_nothing_to_look_at(seen):
    def others(folder):
        (folder / "notes.txt").write_text("x")
        (folder / "p.yaml.bak").write_text("x")
        (folder / "sub.yaml").mkdir()
        yield LATER

    assert seen(others) == []


def test_a_text_of_the_same_length_is_another_text(seen):
    def replaced(folder):
        (folder / "p.yaml").write_text(TEXT.replace(" p", " q"))
        yield LATER

    assert seen(replaced) == [["p.yaml"]]


def test_a_file_that_stays_empty_or_gone_is_told_of(seen):
    def emptied(folder):
        (folder / "p.yaml").write_text("")
        yield EMPTIED + LATER
        (folder / "p.yaml").unlink()
        yield EMPTIED + LATER

    assert seen(emptied) == [["p.yaml"], ["p.yaml"]]


def test_new_files_are_seen_in_folders_below_too(seen):
    def added(folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "q.yml").write_text(TEXT)
        yield LATER

    assert seen(added) == [["sub/q.yml"]]


def test_files_saved_together_are_one_save_and_one_after_the_other_two(seen):
    def both(folder):
        (folder / "p.yaml").write_text(TEXT + "version: 2\n")
        yield SOON
        (folder / "p_test.yaml").write_text("test: p\n")
        yield LATER
        (folder / "p.yaml").write_text(TEXT + "version: 3\n")
        yield LATER

    assert seen(both) == [["p.yaml", "p_test.yaml"], ["p.yaml"]]


def test_a_policy_by_itself_is_watched_with_its_examples_and_people(seen, tmp_path):
    def many(folder):
        for name in ("other.yaml", "p_test.yaml", "people.yaml", "p.yaml"):
            (folder / name).write_text("x")
            yield LATER

    assert seen(many, of=tmp_path / "p.yaml") == [["p_test.yaml"], ["people.yaml"], ["p.yaml"]]


def test_people_right_above_are_watched_too(seen, tmp_path):
    def people(folder):
        (folder / "people.yaml").write_text("people: 1\n")
        yield LATER

    (tmp_path / "inner").mkdir()
    assert seen(people, of=tmp_path / "inner") == [["people.yaml"]]
    (tmp_path / "inner" / "q.yaml").write_text(TEXT)
    (tmp_path / "people.yaml").unlink()
    assert seen(people, of=tmp_path / "inner" / "q.yaml") == [["people.yaml"]]


def test_a_file_that_is_written_without_end_is_told_of_all_the_same(seen):
    def endless(folder):
        for number in range(int(2.5 * LONGEST / SOON)):
            (folder / "p.yaml").write_text(f"{TEXT}# {number}\n")
            yield SOON

    assert len(seen(endless)) == 3


def test_a_folder_that_vanishes_and_comes_back_is_watched_on(seen, tmp_path):
    def away_and_back(folder):
        (folder / "inner").rename(folder / "elsewhere")
        yield EMPTIED + LATER
        (folder / "elsewhere").rename(folder / "inner")
        yield LATER

    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "q.yaml").write_text(TEXT)
    assert seen(away_and_back, of=tmp_path / "inner") == [["inner/q.yaml"], ["inner/q.yaml"]]


def test_what_is_saved_while_somebody_looks_at_the_last_save_is_seen_afterwards(tmp_path, monkeypatch):
    (tmp_path / "p.yaml").write_text(TEXT)
    time = Time(tmp_path, in_place(tmp_path))
    monkeypatch.setattr(module, "monotonic", time)
    seen = saves(tmp_path, time)
    assert next(seen) == []
    (tmp_path / "q.yaml").write_text(TEXT)  # during the first look
    assert next(seen) == [tmp_path / "q.yaml"]
    (tmp_path / "q.yaml").write_text(TEXT + "version: 2\n")  # during the second
    assert tmp_path / "q.yaml" in next(seen)


def test_it_ends_when_it_is_told_to_though_somebody_is_still_writing(tmp_path, monkeypatch):
    (tmp_path / "p.yaml").write_text(TEXT)
    time = Time(tmp_path, in_place(tmp_path))
    monkeypatch.setattr(module, "monotonic", time)
    monkeypatch.setattr(Time, "told", property(lambda self: self.now > 1))
    assert len(list(saves(tmp_path, time))) <= 2
    assert time.now < 1 + LATER
