"""Reading: text stays the text that was written, every bound holds, and places lead back to the file."""

import pytest

from agentguard.core.policy import Place
from agentguard.errors import PolicyError
from agentguard.policyfile import bounds, load, load_text
from agentguard.policyfile.node import plain
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import decode, read
from tests.policyfile.broken import BASE


def tree(text):
    problems = Problems("x.yaml")
    root = read(text, problems)
    assert not problems, problems.sorted()
    return root


def codes(text, file="x.yaml"):
    with pytest.raises(PolicyError) as raised:
        load_text(text, file)
    return [problem.code for problem in raised.value.problems]


def test_every_scalar_stays_the_text_that_was_written():
    root = tree("a: NO\nb: 18:30\nc: 500.10\nd: 010\ne: 0x1F\nf: ~\ng: null\nh: 1e3\ni: 2026-12-24\nj: .nan\nk: yes\n")
    assert list(plain(root).values()) == [
        "NO",
        "18:30",
        "500.10",
        "010",
        "0x1F",
        "~",
        "null",
        "1e3",
        "2026-12-24",
        ".nan",
        "yes",
    ]


@pytest.mark.parametrize(
    "written, text",
    [
        ("plain words", "plain words"),
        ("plain\n   on two lines", "plain on two lines"),
        ("'it''s quoted'", "it's quoted"),
        ("'quoted on\n   two lines'", "quoted on two lines"),
        (r'"tab\t and \"quotes\" and \u00e9"', 'tab\t and "quotes" and é'),
        ('"escaped \\\n   line end"', "escaped line end"),
        (">\n  folded\n  text\n\n  new paragraph\n", "folded text\nnew paragraph\n"),
        (">-\n  folded\n    deeper\n  text\n", "folded\n  deeper\ntext"),
        ("|\n  literal\n  text\n", "literal\ntext\n"),
        ("|2-  # a comment\n  literal\n", "literal"),
    ],
)
def test_each_character_of_a_text_is_found_again_in_the_file(written, text):
    source = f"first: x\nkey: {written}\nlast: y\n"
    scalar = tree(source).items["key"]
    assert scalar.text == text
    lines = source.split("\n")
    for offset, character in enumerate(text):
        if character.isspace() or character in "\"'é":
            continue
        place = scalar.at(offset)
        assert lines[place.line - 1][place.column - 1] == character, (offset, character, place)
    assert scalar.at(len(text)).line >= scalar.place.line


def test_places_count_from_one_and_windows_line_ends_count_once():
    root = tree("a: x\r\nb: y\r\n")
    assert root.keys["b"].place == Place("x.yaml", 2, 1)
    assert root.items["b"].place == Place("x.yaml", 2, 4)


def test_a_file_at_the_bound_on_its_size_is_read_and_one_byte_more_is_not():
    text = BASE + "#" * (bounds.FILE_BYTES - len(BASE) - 1) + "\n"
    assert load_text(text, "x.yaml").name == "shop"
    assert codes(text + "#") == ["file_too_large"]
    assert len(decode(text.encode(), "x.yaml")) == bounds.FILE_BYTES
    with pytest.raises(PolicyError, match="file_too_large"):
        decode(text.encode() + b"#", "x.yaml")


def test_the_size_is_counted_in_bytes():
    text = BASE + "#" + "é" * ((bounds.FILE_BYTES - len(BASE)) // 2) + "\n"
    assert len(text) < bounds.FILE_BYTES
    assert codes(text) == ["file_too_large"]


def test_nesting_at_the_bound_is_read_and_one_level_more_is_not():
    deep = "agentguard: " + "[" * bounds.NESTING + "]" * bounds.NESTING + "\n"
    problems = Problems("x.yaml")
    assert read(deep, problems) is not None
    assert read(deep.replace("[]", "[[]]"), problems) is None
    assert [problem.code for problem in problems.sorted()] == ["nested_too_deep"]


@pytest.mark.parametrize("count, ok", [(997, True), (998, False)])
def test_a_file_has_at_most_so_many_values(count, ok, monkeypatch):
    monkeypatch.setattr(bounds, "NODES", 1_000)
    problems = Problems("x.yaml")
    text = "list: [" + "a, " * count + "]\n"  # the mapping, its key and the list count too
    assert (read(text, problems) is not None) is ok
    assert [problem.code for problem in problems.sorted()] == ["too_many"] * (not ok)


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert set(codes("\n".join(lines))) == {"anchor"}


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfagentguard: 1", b"\xff\xfea\x00", b"\xfe\xff\x00a"])
def test_a_byte_order_mark_is_refused(data):
    with pytest.raises(PolicyError, match="byte_order_mark"):
        decode(data, "x.yaml")


def test_bytes_that_are_not_utf_8_are_refused_where_they_stand():
    with pytest.raises(PolicyError) as raised:
        decode("a: é\nb: é".encode("latin-1"), "x.yaml")
    assert str(raised.value) == "x.yaml:1:4 unreadable expected UTF-8, got the byte 0xe9: save the file as UTF-8"


def test_a_missing_file_and_a_folder_without_policies_are_problems_and_not_tracebacks(tmp_path):
    with pytest.raises(PolicyError, match="unreadable no such file or folder"):
        load(tmp_path / "nothing.yaml")
    with pytest.raises(PolicyError, match="no_policy expected at least one policy file"):
        load(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"\xff\xff")
    with pytest.raises(PolicyError, match=r"a\.yaml:1:1 unreadable"):
        load(tmp_path)


def test_problems_of_a_file_are_bounded():
    assert len(codes(BASE + "".join(f"k{n}: 1\n" for n in range(500)))) == 200
