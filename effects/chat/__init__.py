"""The chat channel: messages to one of the services that Apprise knows, such as Slack, Telegram, DingTalk or WeCom."""

import logging
from typing import Any

from effects.channel import NotSent, OutcomeUnknown, Outgoing
from language import tr


class BadService(ValueError):
    """The address of a chat service cannot be used; the message says why."""


class ChatChannel:
    """Tells one service. `url` is an address as Apprise has it, such as `slack://TOKEN_A/TOKEN_B/TOKEN_C`."""

    def __init__(self, url: str) -> None:
        """Take the address of a service.

        Raises:
            BadService: Apprise is not installed, or knows no such address.

        """
        try:
            import apprise  # it takes a tenth of a second, and only who has a chat needs it
        except ImportError:
            raise BadService(tr("Apprise is not installed: pip install 'aftersales[chat]'")) from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs addresses, which hold secrets
        self._service: Any = apprise.Apprise.instantiate(url)
        if self._service is None:
            raise BadService(tr("it is no address of a service that Apprise knows"))
        self._as_text = apprise.NotifyFormat.TEXT

    def send(self, message: Outgoing) -> None:
        """Tell the service one message.

        Raises:
            NotSent: the message is empty.
            OutcomeUnknown: the service did not take it, or its answer is not known: Apprise does not tell these apart.

        """
        if not message.body.strip():
            raise NotSent(tr("it has no text"), try_again=False)
        try:
            is_taken = self._service.notify(title=message.subject, body=message.body, body_format=self._as_text)
        except Exception as error:  # a plugin of one of a hundred services
            raise OutcomeUnknown(tr("the chat service failed: {error}", error=type(error).__name__)) from None
        if not is_taken:
            raise OutcomeUnknown(tr("the chat service did not take it"))
