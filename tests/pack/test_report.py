"""report.html: everything escaped, nothing loaded or run, every link leads somewhere, and a real browser agrees."""

import re
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser

import pytest

from agentguard import Guard
from tests.cli import shop as shops

HOSTILE = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">\u202e'\"&amp;"
NAME = HOSTILE.replace("\u202e", "")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
VOID = {"meta"}
TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main header section article h1 h2 h3 p ul ol li div dl dt dd "
        "table thead tbody tr th td code pre i b small span time a",
    )
)


class Page(HTMLParser):
    """Everything that is marked up in a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.ids, self.targets, self.attributes = set(), [], set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        for name, value in attrs:
            if name == "id":
                assert value not in self.ids, f"{value} stands twice"
                self.ids.add(value)
            if name == "href":
                self.targets.add(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a shop whose agent, customers, orders, reasons and policy all try to be more than words."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "policies").mkdir()
    text = shops.POLICY.replace("because: Small.", "because: '<b>Small</b> {order_id}'") + f"# </pre>{NAME}\n"
    (folder / "policies" / "refunds.yaml").write_text(text, encoding="utf-8")
    guard = Guard(folder / "policies", store=f"sqlite:///{folder}/a.db", activate=True)
    guard.fact("order")(lambda order_id: {"id": order_id, "total": "500.00 USD", "customer": NAME})
    guard.action("refund.issue")(lambda order_id, amount, email=None: "re_<1>")
    for key, customer in (("1", NAME), ("2", "cus_2")):
        arguments = {"order_id": NAME, "amount": "40.00", "email": f"{NAME}@example.com"}
        context = {"conversation": NAME}
        guard.run("refund.issue", arguments, agent="<bot>", on_behalf_of=customer, context=context, key=key)
    wanted = {"personal": True, "action": "refund.issue"}
    guard.audit.export(folder / "a.zip", **wanted, by="<ada>", why=HOSTILE)
    guard.close()
    with zipfile.ZipFile(folder / "a.zip") as packed:
        return packed.read("report.html").decode()


def test_whatever_anybody_wrote_is_words_and_nothing_else(report):
    page = Page(report)
    assert page.open == []
    assert page.tags <= TAGS
    assert page.attributes <= {"lang", "charset", "name", "content", "http-equiv", "class", "id", "href"}
    assert "\u202e" not in report, "no words turn the direction of others around"
    assert "&lt;script&gt;document.title" in report
    assert "&lt;ada&gt;" in report


def test_the_page_asks_nobody_for_anything(report):
    assert "default-src 'none'" in report
    style = re.search(r"(?s)<style>(.*?)</style>", report)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert "http:" not in report.replace("http-equiv", "")
    assert "https:" not in report


def test_rules_link_to_the_lines_of_the_policies_that_they_stand_in(report):
    page = Page(report)
    assert page.targets, "some rule decided"
    assert all(target.startswith("#") and target[1:] in page.ids for target in page.targets)
    line = re.search(r"<a href='#(line-[0-9a-f]+-\d+)'>refunds.yaml line 19</a>", report)[1]
    assert re.search(rf"<span id='{line}'><i>  19</i>   - {{id: small,", report.replace("&#x27;", "'"))


def test_it_says_what_it_is_what_it_shows_and_what_not(report):
    for words in ("Evidence pack of the audit log", "Not shown", "this log is not sealed", "in the clear", "Summary"):
        assert words in report
    assert "✓ allowed" in report, "a mark that needs no colour"
    assert "✕ denied" in report
    assert "@media print" in report


def test_a_browser_shows_it_and_runs_nothing_even_if_somebody_puts_a_script_into_it(report, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    smuggled = report.replace("</main>", f"{HOSTILE}</main>")
    (tmp_path / "report.html").write_text(smuggled, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    command = [browser, *options, str(tmp_path / "report.html")]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "<title>Evidence pack" in shown
    assert "<title>ran" not in shown
