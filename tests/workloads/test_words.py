"""What a person's own words name, and what they do not."""

from decimal import Decimal

import pytest

from scripts.replays.words import amounts, asks_to, site, sites, stands_in


@pytest.mark.parametrize(
    "name, text, named",
    [
        ("GB29NWBK60161331926819", "Please refund GB29NWBK60161331926819 for it.", True),
        ("GB29NWBK6016133192681", "Please refund GB29NWBK60161331926819 for it.", False),
        ("apple", "Apple called.", True),
        ("Fred", "Alfred called.", False),
        ("US", "Pay the US account.", False),
        ("", "anything", False),
        ("...", "anything", False),
        (".*", "anything", False),
    ],
)
def test_a_name_stands_in_a_text_only_as_words_of_its_own(name, text, named):
    assert stands_in(name, text) is named


def test_numbers_are_read_exactly_with_and_without_grouping():
    assert amounts("send $2,200 and 200.29, not 1.5.2022 or A17") >= {Decimal(2200), Decimal("200.29")}
    assert Decimal(17) not in amounts("order A17")


@pytest.mark.parametrize(
    "link, host",
    [
        ("www.shop.example", "shop.example"),
        ("HTTPS://WWW.Shop.example/a?b#c", "shop.example"),
        ("http://shop.example@evil.example/", "evil.example"),
        ("http://shop.example.evil.example", "shop.example.evil.example"),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_a_link_leads_to_its_host_and_to_no_other(link, host):
    assert site(link) == host


def test_links_are_found_in_prose_and_mail_addresses_are_not_links():
    assert sites(["See www.one.com/x, https://two.example/y and three.io.", "write to ann@four.com"]) == {
        "one.com",
        "two.example",
        "three.io",
    }


def test_an_invitation_needs_the_name_and_the_wish():
    assert asks_to("invit|add", "Dora", "please invite Dora")
    assert not asks_to("invit|add", "Dora", "greet Dora")
    assert not asks_to("invit|add", "Fred", "please invite Dora")
