"""What commands print fits the terminal that it is read in."""

from io import StringIO

import pytest
from rich.console import Console

from agentguard.cli.output import Output


def printed(width: int) -> tuple[Output, StringIO]:
    stream = StringIO()
    output = Output(stream)
    output.console = Console(file=stream, width=width, highlight=False)
    return output, stream


ROWS = (
    ("customer-30-days", "300.00 USD", "what is refunded to one customer by everybody", "(support_lead)"),
    ("everyone-today", "5000.00 USD", "what is refunded to all of them together", "it is refused"),
)


@pytest.mark.parametrize("width", [58, 80, 100, 120])
def test_no_word_of_a_table_is_cut_where_there_is_room_for_each(width: int) -> None:
    output, stream = printed(width)

    output.table(("limit", "at most", "of what", "beyond that"), ROWS, indent=2)

    assert all(len(line) <= width for line in stream.getvalue().splitlines())
    assert {word for row in ROWS for cell in row for word in cell.split()} <= set(stream.getvalue().split())


def test_a_table_with_no_room_for_its_words_cuts_them_and_loses_no_letter() -> None:
    output, stream = printed(40)

    output.table(("limit", "at most", "of what", "beyond that"), ROWS, indent=2)

    lines = stream.getvalue().splitlines()
    assert all(len(line) <= 40 for line in lines)
    letters = sorted(letter for row in ROWS for cell in row for letter in cell if letter != " ")
    assert sorted("".join(lines[2:]).replace(" ", "")) == letters


def test_columns_that_stay_whole_stay_whole_where_others_give_way() -> None:
    output, stream = printed(40)

    output.table(("limit", "of what"), [(row[0], row[2]) for row in ROWS], whole=["limit"])

    assert [line.split("  ")[0] for line in stream.getvalue().splitlines() if line[0] != " "] == [
        "limit",
        *(row[0] for row in ROWS),
    ]


def test_columns_that_should_stay_whole_fold_where_nothing_else_is_left_to_give_way() -> None:
    output, stream = printed(20)

    output.table(("limit", "at most"), [row[:2] for row in ROWS], whole=["limit", "at most"])

    letters = sorted(
        letter for row in (("limit", "at most"), *ROWS) for cell in row[:2] for letter in cell.replace(" ", "")
    )
    assert sorted(stream.getvalue().replace(" ", "").replace("\n", "")) == letters


def test_a_table_shows_what_looks_like_markup_as_it_is() -> None:
    output, stream = printed(80)

    output.table(("reason",), [("[bold]:smile: \\[x]",)])

    assert "[bold]:smile: \\[x]" in stream.getvalue()


def test_the_second_line_of_a_point_stands_under_the_first_one_and_nothing_follows_a_line() -> None:
    output, stream = printed(20)

    output.prose("one two three four five six", indent=2, point="- ")

    assert stream.getvalue() == "  - one two three\n    four five six\n"


def test_a_sentence_is_wrapped_on_a_terminal_and_stays_one_line_elsewhere() -> None:
    text = "rule `small`: the amount is at most 75.00 USD"
    output, stream = printed(30)
    output.sentence(text, point="  loosens  ")
    assert stream.getvalue() == f"  loosens  {text}\n"

    output, stream = printed(30)
    output.console = Console(file=stream, width=30, highlight=False, force_terminal=True, color_system=None)
    output.sentence(text, point="  loosens  ")
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        "  loosens  rule `small`: the",
        "           amount is at most",
        "           75.00 USD",
    ]


def test_whoever_wrote_a_reason_adds_no_line_that_looks_like_ours() -> None:
    output, stream = printed(120)
    forged = "fewer wait\ntighter: an agent does less\x1b[2J\r\n::error::x"

    output.line(forged)
    output.prose(forged, indent=2, point="- ")

    one = "fewer wait tighter: an agent does less [2J ::error::x"
    assert stream.getvalue().splitlines() == [one, f"  - {one}"]
