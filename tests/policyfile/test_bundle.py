"""Files together: found in folders, and refused when they contradict each other."""

import pytest

from agentguard.errors import PolicyError, UsageError
from agentguard.policyfile import bundle_of, load, load_text, people_beside, policy_paths

FILE = """agentguard: 1
policy: {name}
version: 1
currency: USD
actions:
  a.b: {{n: integer, amount: money}}
facts: {{o.total: money}}
context: {{conversation: text}}
"""


def policy_of(name, **changes):
    text = FILE.format(name=name)
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return load_text(text, f"{name}.yaml")


def messages(*policies):
    with pytest.raises(PolicyError) as raised:
        bundle_of(policies)
    return [str(problem) for problem in raised.value.problems]


def test_policies_are_in_order_of_their_names_and_the_digest_knows_no_order():
    one, two = policy_of("one"), policy_of("two")
    assert bundle_of([two, one]).policies == (one, two)
    assert bundle_of([two, one]).digest == bundle_of([one, two]).digest
    assert bundle_of([one]).digest != bundle_of([one, two]).digest


def test_two_policies_with_one_name_are_refused():
    assert messages(policy_of("one"), policy_of("one")) == [
        "one.yaml:1:1 policy_twice policy `one` is also in one.yaml: give one of them another name"
    ]


def test_no_policy_at_all_is_refused():
    assert messages() == ["no_policy expected at least one policy file, got none"]


@pytest.mark.parametrize(
    "change, said",
    [
        (("n: integer, ", ""), "with other arguments (`n` is in one of them only)"),
        (("n: integer", "n: decimal"), "with other arguments (`n`: decimal and integer)"),
        (("n: integer", "n: integer?"), "with other arguments (`n`: `?`, `any sign`, "),
        (("amount: money", "amount: 'money, any sign'"), "with other arguments (`amount`: `?`, `any sign`, "),
        (("o.total: money", "o.total: integer"), "has the fact `o.total` with another type (integer and money)"),
        (("conversation: text", "conversation: text?"), "has the context value `context.conversation`"),
        (("currency: USD", "currency: EUR"), "with another currency"),
    ],
)
def test_an_action_of_several_files_is_declared_alike_in_all(change, said):
    found = messages(policy_of("one"), policy_of("two", change=change))
    assert found[0].startswith("two.yaml:6:3 action_differs action `a.b` is also in one.yaml")
    assert any(said in message for message in found), found
    assert all(message.endswith("declare it alike in both") for message in found)


@pytest.mark.parametrize("due", ["o.fee", "half"])
def test_an_argument_that_two_files_compute_otherwise_is_refused(due):
    arguments = ("n: integer, amount: money", "n: integer, amount: 'money, computed as due'")
    facts = ("{o.total: money}", "{o.total: money, o.fee: money}\nnames: {due: half, half: o.total}")
    one, same = (policy_of(name, arguments=arguments, facts=facts) for name in ("one", "two"))
    assert len(bundle_of([one, same]).policies) == 2
    changed = (facts[0], facts[1].replace("due: half", f"due: {due}").replace("half: o.total", "half: o.fee"))
    other = policy_of("two", arguments=arguments, facts=changed)
    (message,) = messages(one, other)
    assert message.startswith("two.yaml:6:3 action_differs action `a.b` is also in one.yaml and computes `amount`")


def test_a_currency_that_differs_is_told_once():
    (message,) = messages(policy_of("one"), policy_of("two", currency=("currency: USD", "currency: EUR")))
    assert "with another currency" in message


def test_facts_that_only_one_file_reads_may_differ():
    other = policy_of("two", facts=("o.total: money", "o.count: integer"))
    assert len(bundle_of([policy_of("one"), other]).policies) == 2


def test_files_with_other_actions_need_not_agree():
    other = policy_of("two", action=("a.b:", "c.d:"), currency=("currency: USD", "currency: EUR"))
    assert bundle_of([policy_of("one"), other]).actions() == ("a.b", "c.d")


def test_records_are_compared_by_their_fields():
    records = ("currency: USD\n", "currency: USD\ntypes: {item: {price: money}}\n")
    facts = ("o.total: money", "o.total: money, o.items: list of item")
    other = ("currency: USD\n", "currency: USD\ntypes: {item: {price: money?}}\n")
    bundle_of([policy_of("one", a=records, b=facts), policy_of("two", a=records, b=facts)])
    assert "o.items" in messages(policy_of("one", a=records, b=facts), policy_of("two", a=other, b=facts))[0]


def test_a_folder_is_read_with_the_folders_below_it_and_without_tests_and_people(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    for name in ("b.yaml", "deep/a.yml", "deep/deeper/c.yaml"):
        (tmp_path / name).write_text(FILE.format(name=name[-6:-5] if name != "deep/a.yml" else "a"))
    for name in ("b_test.yaml", "people.yaml", "notes.txt", "deep/people.yaml"):
        (tmp_path / name).write_text("not: a policy")
    assert [name for _, name in policy_paths(tmp_path)] == ["b.yaml", "deep/a.yml", "deep/deeper/c.yaml"]
    assert [policy.name for policy in load(tmp_path).policies] == ["a", "b", "c"]


def test_the_problems_of_all_files_are_told_at_once(tmp_path):
    (tmp_path / "one.yaml").write_text(FILE.format(name="one").replace("version: 1", "version: x"))
    (tmp_path / "two.yaml").write_text(FILE.format(name="two").replace("integer", "int"))
    with pytest.raises(PolicyError) as raised:
        load(tmp_path)
    assert [problem.file for problem in raised.value.problems] == ["one.yaml", "two.yaml"]


def test_a_policy_keeps_the_exact_text_of_its_file(tmp_path):
    text = FILE.format(name="one").replace("\n", "\r\n") + "# ä\r\n"
    (tmp_path / "one.yaml").write_bytes(text.encode())
    assert load(tmp_path).policies[0].text == text


def test_every_yaml_file_of_a_folder_is_a_policy_but_for_people_tests_and_what_is_hidden(tmp_path):
    for name in (
        "vip-people.yaml",
        "below/two.yml",
        "Three.YAML",
        "people.yaml",
        "two_test.yaml",
        ".four.yaml",
        "a.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert {name for _, name in policy_paths(tmp_path)} == {"vip-people.yaml", "below/two.yml", "Three.YAML"}


@pytest.mark.parametrize("name", ["people.yml", "People.yaml"])
def test_people_under_a_name_that_nobody_reads_are_refused(tmp_path, name):
    (tmp_path / "one.yaml").write_text(FILE.format(name="one"))
    (tmp_path / name).write_text("people: 1\n")
    assert [found for _, found in policy_paths(tmp_path)] == ["one.yaml"]
    with pytest.raises(UsageError, match="rename it"):
        people_beside(tmp_path)


def test_a_mounted_configuration_is_read_once(tmp_path):
    (tmp_path / "..2026_11_20").mkdir()
    (tmp_path / "..2026_11_20" / "one.yaml").write_text(FILE.format(name="one"))
    (tmp_path / "..data").symlink_to("..2026_11_20")
    (tmp_path / "one.yaml").symlink_to("..data/one.yaml")
    assert [policy.name for policy in load(tmp_path).policies] == ["one"]
