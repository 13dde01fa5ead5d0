"""Notices by mail, Slack, Teams and whatever else Apprise knows, in words: `pip install "agentguard[notify]"`.

AppriseNotices({"group:finance": "slack://…", "group:support-leads": ["mailtos://…", "msteams://…"]})
AppriseNotices(mail="mailtos://desk:…@smtp.acme.example?to={email}", people="policies/people.yaml")
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import quote

from agentguard.adapters import event_words
from agentguard.engine.channel import EVERYTHING, Only
from agentguard.engine.directory import Given, directory
from agentguard.engine.event import Event
from agentguard.errors import ConfigurationError, UndeliveredError

Addresses: TypeAlias = str | Sequence[str]


class AppriseNotices:
    """Tells people by Apprise's addresses.

    Args:
        addresses: Where everybody is told, or by whom an event is for: `group:finance`, `user:maria`.
        mail: An address of a mail to one person, with `{email}` in it. Whoever can decide is told at the `email` that
            the people file has of them, and so is who stands in for somebody who is away.
        people: Who the people are, as a guard takes it; it goes with `mail`.
        name: How far it has come is kept under it.
        only: Which events it tells.
        details: Tell the masked amounts too.
        link: Where people look: `{escalation}` and `{action_id}` in it are filled in.
        timeout: How long all addresses together may take.

    Raises:
        ConfigurationError: Apprise is not installed, an address is none of its own, or there is nobody to tell.
    """

    def __init__(
        self,
        addresses: Addresses | Mapping[str, Addresses] = (),
        *,
        mail: str = "",
        people: Given = None,
        name: str = "apprise",
        only: Only = EVERYTHING,
        details: bool = False,
        link: str = "",
        timeout: timedelta = timedelta(seconds=20),
    ) -> None:
        self.name = name
        self._only = only
        self._details = details
        self._link = link
        self._timeout = timeout
        try:
            self._apprise: Any = importlib.import_module("apprise")
        except ImportError as error:
            raise ConfigurationError(
                [f'channel `{name}` needs Apprise, which is not installed: pip install "agentguard[notify]"']
            ) from error
        if not (("{email}" in mail) == bool(mail) == (people is not None)):
            expected = "`mail` with `{email}` in it, and `people` with it"
            raise ConfigurationError([f"channel `{name}`: expected {expected}, got one of these alone"])
        if not addresses and not mail:
            raise ConfigurationError([f"channel `{name}`: expected `addresses` or `mail`, got nobody to tell"])
        self._mail = mail
        self._people = None if people is None else directory(people, ())
        self._mailboxes: dict[str, Any] = {}
        self._everybody = {} if isinstance(addresses, Mapping) else self._opened(addresses)
        self._by_who = (
            {who: self._opened(given) for who, given in addresses.items()} if isinstance(addresses, Mapping) else {}
        )
        self._told: tuple[str, set[str]] = ("", set())

    def wants(self, event: Event) -> bool:
        """Return whether it tells anybody of an event."""
        return self._only.admits(event) and bool(self._addressed(event))

    def send(self, event: Event) -> None:
        """Tell everybody whom the event is for; after a failure only those who were not told yet.

        Raises:
            UndeliveredError: Not everybody could be told.
        """
        if self._told[0] != event.id:
            self._told = event.id, set()
        told = self._told[1]
        title = event_words.title(event)
        body = event_words.body(event, details=self._details, link=self._link)
        for address, service in self._addressed(event).items():
            if address not in told and service.notify(
                body=body, title=title, body_format="text", timeout=self._timeout.total_seconds()
            ):
                told.add(address)
        if len(told) < len(self._addressed(event)):
            raise UndeliveredError("not_everybody_told" if told else "nobody_told")

    def _addressed(self, event: Event) -> dict[str, Any]:
        found = dict(self._everybody)
        for who in event.to:
            found |= self._by_who.get(who, {})
        return found | self._mailed(event)

    def _mailed(self, event: Event) -> dict[str, Any]:
        """Return the mailboxes of those whom an event is for, as the people are now.

        Raises:
            PeopleUnavailableError: They cannot be told now; it is tried again.
        """
        people = None if self._people is None else self._people.people()
        if people is None:
            return {}
        asked = event.type in event_words.ASKING
        told = people.admitted(event.to, event.at) if asked else people.members(event.to)
        emails = sorted({people.users[user].email for user in told} - {""})
        return {address: service for email in emails for address, service in self._mailbox(email).items()}

    def _mailbox(self, email: str) -> dict[str, Any]:
        if email not in self._mailboxes:
            self._mailboxes[email] = self._opened(self._mail.replace("{email}", quote(email, safe="@")))
        found: dict[str, Any] = self._mailboxes[email]
        return found

    def _opened(self, addresses: Addresses) -> dict[str, Any]:
        opened = {}
        for address in [addresses] if isinstance(addresses, str) else addresses:
            service = self._apprise.Apprise()
            if not service.add(address):
                kind = address.partition("://")[0][:20] if "://" in address else "without `://`"
                # The rest of it may hold a password.
                raise ConfigurationError([f"channel `{self.name}`: expected an address of Apprise, got one `{kind}`"])
            opened[address] = service
        return opened
