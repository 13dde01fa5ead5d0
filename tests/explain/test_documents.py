"""A policy as a document says the same on the terminal, in Markdown and on a page, and nothing in it can mark it up."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agentguard import policyfile
from agentguard.analysis.explained.policies import policy_document
from agentguard.cli.documents import Format, written
from agentguard.core.documents.blocks import Document, Item, Paragraph, Points, Section, Table
from agentguard.core.documents.markdown import marked
from agentguard.core.policy import Verdict
from agentguard.policyfile import load_text

PACKS = [path for path in sorted(Path("policies").iterdir()) if path.is_dir()]
SIGNS = re.compile(r"[<>=!&|{}]|\bhas\(|\b(?:exists|all|filter|map|size|sum|during|used|held)\(")
BANDS = """\
agentguard: 1
policy: bands
version: 1
currency: USD
timezone: UTC
owner: o
actions: {refund.issue: {amount: money, pieces: integer}}
facts: {order.total: money}
escalations: {lead: {who: "group:leads", within: 1 day, if_late: deny}}
rules:
  - {id: large, then: escalate to lead, when: amount >= 50 and amount < 500}
  - {id: small, then: allow, when: 50 > amount and pieces == 1}
  - {id: huge, then: deny, when: amount >= 500}
  - {id: pieces, then: allow, when: pieces < 3 and amount <= order.total}
"""


class Page(HTMLParser):
    """Every tag and every text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.loads = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [(tag, name) for name, _ in attrs if name in ("src", "href", "onclick", "style")]

    def handle_data(self, data):
        if self.tags and self.tags[-1] != "style":
            self.texts.append(data)

    @property
    def words(self):
        return plain(" ".join(self.texts))


def plain(text):
    """Return a text without what only marks it up."""
    return re.sub(r"[\s`\\*]+", "", text)


def texts(blocks):
    for block in blocks:
        match block:
            case Paragraph(text):
                yield text
            case Points(items):
                yield from points(items)
            case Table(columns, rows):
                yield from columns
                yield from (cell for row in rows for cell in row)
            case Section(title, inner):
                yield title
                yield from texts(inner)


def points(items):
    for item in items:
        yield item.text
        yield from points(item.items)


def documents_of(pack):
    return [policy_document(policy) for policy in policyfile.load(pack).policies]


@pytest.mark.parametrize("pack", PACKS, ids=[pack.name for pack in PACKS])
def test_every_text_of_a_pack_is_in_each_format_and_has_no_sign_of_the_language(pack):
    documents = documents_of(pack)
    found = [text for document in documents for text in texts(document.blocks)]
    assert len(found) > 50
    page = Page(written(documents, Format.HTML))
    markdown = plain(written(documents, Format.MARKDOWN))
    shown = written(documents, Format.TEXT)
    for text in found:
        assert plain(text) in page.words, text
        assert plain(text) in markdown, text
        said = re.sub(r'`[^`]*`|"[^"]*"|“[^”]*”|\[[^]]*\]', "", text)
        assert not SIGNS.search(said), text
    for word in {word for text in found for word in re.findall(r"[a-z]{4,}", text)}:
        assert word in shown, word
    assert documents_of(pack) == documents


@pytest.mark.parametrize("pack", PACKS, ids=[pack.name for pack in PACKS])
def test_every_rule_limit_requirement_route_term_and_promise_of_a_pack_is_told(pack):
    for policy in policyfile.load(pack).policies:
        found = set(texts(policy_document(policy).blocks))
        assert {rule.id for rule in policy.rules} <= found
        told = " ".join(found)
        for item in (*policy.limits, *policy.requires, *policy.guarantees, *policy.routes.values()):
            assert f"`{item.id}`" in told
        for name in (*policy.names, *policy.tables, *policy.calendars):
            assert f"“{name.replace('_', ' ')}”" in found
        for item in (*policy.rules, *policy.limits, *policy.requires):
            for template in item.words.say.values():
                first = next((part for part in template.parts if isinstance(part, str)), "")
                assert " ".join(first.split()) in told


def test_a_page_runs_and_loads_nothing_and_what_a_file_says_stays_text():
    evil = "<script>alert(1)</script> `<b>` [x](http://x) | *y* _z_"
    text = BANDS.replace("owner: o", f"owner: o\ndescription: '{evil}'")
    document = policy_document(load_text(text, "bands.yaml"))
    page = Page(written([document], Format.HTML))
    assert not {"script", "link", "img", "iframe", "b"} & set(page.tags)
    assert page.loads == []
    assert plain(evil) in page.words
    markdown = written([document], Format.MARKDOWN)
    assert r"\<script\>alert(1)\</script\> `<b>` \[x\](http://x) \| \*y\* \_z\_" in markdown


@pytest.mark.parametrize("text", ["1. First", "1) First", "- x", "+ x", "# x", "1.5 USD", "a\n# b"])
def test_no_text_begins_a_list_or_a_heading_in_markdown(text):
    said = marked(text)
    assert not re.match(r"\d+[.)]\s|[-+#]\s", said)
    assert plain(said) == plain(text)


def test_bands_say_from_where_to_where_each_rule_speaks_and_what_else_it_asks():
    document = policy_document(load_text(BANDS, "bands.yaml"))
    (section,) = (block for block in document.blocks if isinstance(block, Section) and block.title == "Thresholds")
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert tables[0].rows == (
        ("–", "less than 50.00 USD", "the agent does it alone", "the number of the pieces is 1", "`small`"),
        ("50.00 USD", "less than 500.00 USD", "people decide (`lead`)", "–", "`large`"),
        ("500.00 USD", "–", "it is refused", "–", "`huge`"),
    )
    also = "the amount is at most the order's total"
    assert tables[1].rows == (
        ("–", "less than 3", "the agent does it alone", also, "`pieces`"),
        ("1", "1", "the agent does it alone", "the amount is less than 50.00 USD", "`small`"),
    )


def test_rules_stand_under_what_they_let_be_done():
    document = policy_document(load_text(BANDS, "bands.yaml"))
    titles = {block.title: block for block in document.blocks if isinstance(block, Section)}
    assert [section.title for section in titles["What the agent may do alone"].blocks] == ["small", "pieces"]
    assert [section.mark for section in titles["What is refused"].blocks] == [str(Verdict.DENY)]


@pytest.fixture
def packs(tmp_path, monkeypatch):
    """A folder with two packs in `policies`, one of them in a file of another name than the policy's."""
    folder = tmp_path / "shop"
    shutil.copytree("policies/refunds", folder / "policies" / "refunds")
    (folder / "policies" / "gifts.yaml").write_text(BANDS.replace("refund.", "gift."), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def test_a_policy_is_explained_by_its_path_its_folder_or_its_name(packs, command):
    for words in (["refunds"], ["policies/refunds"], ["policies/refunds/refunds.yaml"]):
        assert command("policy", "explain", *words).out.startswith("refunds, version")
    for words in (["bands"], ["gifts"], ["policies/gifts.yaml"]):
        assert command("policy", "explain", *words).out.startswith("bands, version 1")
    both = command("policy", "explain", "bands", "refunds", "--format", "markdown")
    assert re.findall(r"^# (\w+)", both.out, re.MULTILINE) == ["refunds", "bands"]
    said = command("policy", "explain", "refnuds")
    assert (said.code, said.out) == (2, "")
    assert "no policy is called `refnuds`, and no path; the policies are bands, refunds" in said.err


def test_a_name_without_a_folder_of_policies_is_told_to_be_missing(elsewhere, command):
    said = command("policy", "explain", "refunds")
    assert said.code == 2
    assert "`refunds`, which is not there" in said.err


@pytest.mark.parametrize(
    "file, begins",
    [
        ("a.html", "<!DOCTYPE html>"),
        ("a.md", "# refunds, version"),
        ("a.txt", "refunds, version"),
        ("a.json", '[\n  {\n    "policy"'),
    ],
)
def test_the_name_of_a_file_says_what_is_written_into_it(packs, command, file, begins):
    said = command("policy", "explain", "refunds", "-o", file)
    assert (said.code, said.out, said.err) == (0, "", "")
    assert Path(file).read_text(encoding="utf-8").startswith(begins)
    again = command("policy", "explain", "refunds", "--format", "markdown", "-o", file)
    assert again.code == 0
    assert Path(file).read_text(encoding="utf-8").startswith("# refunds")


def test_a_file_that_cannot_be_written_is_said(packs, command):
    said = command("policy", "explain", "refunds", "-o", "nowhere/a.html")
    assert said.code == 2
    assert "expected a file that can be written, got `nowhere/a.html`" in said.err


def test_a_document_is_never_written_over_a_policy(packs, command):
    before = Path("policies/refunds/refunds.yaml").read_bytes()
    said = command("policy", "explain", "refunds", "-o", "policies/refunds/refunds.yaml")
    assert said.code == 2
    assert "expected a name like `refunds.html` for a document, got `policies/refunds/refunds.yaml`" in said.err
    assert Path("policies/refunds/refunds.yaml").read_bytes() == before


def test_policies_are_found_where_the_environment_says(packs, command, monkeypatch):
    (packs / "policies" / "gifts.yaml").rename(packs / "our gifts.yaml")
    monkeypatch.setenv("AGENTGUARD_POLICIES", "our gifts.yaml")
    assert command("policy", "explain").out.startswith("bands, version 1")


def test_bands_of_several_actions_say_for_which_they_are():
    text = BANDS.replace(
        "actions: {refund.issue: {amount: money, pieces: integer}}",
        "actions: {refund.issue: {amount: money, pieces: integer}, gift.send: {amount: money, pieces: integer}}",
    ).replace("- {id: small,", "- {id: small, on: [gift.send],")
    document = policy_document(load_text(text, "bands.yaml"))
    (section,) = (block for block in document.blocks if isinstance(block, Section) and block.title == "Thresholds")
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert tables[0].columns[-1] == "for"
    assert [row[-1] for row in tables[0].rows] == ["send gift", "all", "all"]


@pytest.mark.parametrize(
    "words",
    [
        "From 1 January 2027 on, nothing in it lets the agent act alone any more; everything stricter stays.",
        "To be looked at again by 1 December 2026.",
        "the end of 30 December 2026",
        "the end of 30 December 2026; it speaks on until somebody takes it out of the file",
        "100.00 USD and 90.00 EUR",
        "The customer's yes to exactly this request",
        "`lead`: they are reminded 1 hour before the time is over",
        "`lead`: what waits keeps its place in the limits",
        "`lead`: a decision gives one of these reasons: ok or not_ok",
        "`lead`: who decides may change amount, an amount or a number only to less",
        "A customer who was refused may contest that for 60 days: people of `lead` who have not seen the case decide.",
        "Where nothing else is said, who decides may lower an amount that was asked for, and change nothing else.",
        "Records of issue refund are kept for 2 years.",
        "Other records are kept for 1 year.",
        "older than 1 hour counts as missing",
        "may be missing; personal, kept encrypted for each customer",
        "It is refused, always.",
    ],
)
def test_whatever_a_file_can_say_is_told(words):
    text = Path(__file__).with_name("everything.yaml").read_text(encoding="utf-8")
    assert words in set(texts(policy_document(load_text(text, "everything.yaml")).blocks))


def test_what_may_be_nested_in_a_condition_is_a_list_in_a_list():
    text = Path(__file__).with_name("everything.yaml").read_text(encoding="utf-8")
    markdown = written([policy_document(load_text(text, "everything.yaml"))], Format.MARKDOWN)
    assert "has seen the record of it when the order's total is more than 500.00 USD." in markdown
    assert "at least 5 a week of each agent." in markdown
    assert (
        "People decide (`lead`) when at least one of these holds:\n\n"
        "- the fee is more than 5.00 EUR\n"
        "- none of these holds:\n"
        "  - the fee is 1.00 EUR\n"
        "  - the time from when the order was placed to now is more than 3 days\n"
    ) in markdown


def test_on_the_terminal_too_nobody_adds_lines_to_a_document_by_what_they_asked_for():
    said = "for `order` A\n\nWhy\n  People decide\x1b[2J `"
    blocks = (Paragraph(said), Points((Item(said),)), Section(said, (Table(("", ""), (("for", said),)),)))
    lines = written([Document("", said, blocks)], Format.TEXT).splitlines()
    one = "for order A Why People decide [2J `"
    assert [line.strip() for line in lines] == [one, one, f"- {one}", "", one, f"for  {one}"]


def test_on_a_narrow_screen_no_column_of_a_table_keeps_its_words_together():
    narrow = written([Document("a page", "narrow", ())], Format.HTML).partition("@media (max-width")[2]
    assert "td:first-child { white-space: normal; }" in narrow.partition("@page")[0]


def test_what_stands_in_a_record_is_said_where_its_lists_are():
    text = (Path("policies") / "refunds" / "refunds.yaml").read_text(encoding="utf-8")
    was, now = "price: money,", "price: money?, weight: decimal,"
    assert was in text
    said, other = (
        set(texts(policy_document(load_text(item, "r.yaml")).blocks)) for item in (text, text.replace(was, now))
    )
    assert "A record (`item`) has `category` (a text), `price` (an amount in USD) and `final_sale` (yes or no)." in said
    assert any("`price` (an amount in USD, may be missing), `weight` (a number)" in item for item in other)
