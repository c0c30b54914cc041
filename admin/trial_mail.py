"""A test mail to the address that a person names, with the step at which it fails."""

from admin.app import App, now
from admin.output import print_json, print_wrapped
from admin.text import safe
from effects.channel import Outgoing
from effects.email.trial import trial
from language import tr
from workflow.addresses import email_address
from workflow.errors import UsageError


def try_mail(app: App, address: str, *, as_json: bool) -> bool:
    """Send a test mail step by step; return whether it was taken.

    Raises:
        UsageError: no server is set up, or that is no address.

    """
    server = app.smtp_server()
    if server is None:
        raise UsageError(tr("no SMTP server is set up: set [smtp] host in the settings"))
    try:
        recipient = email_address(address)
    except ValueError as error:
        raise UsageError(str(error)) from None
    subject, body = tr("Test mail of aftersales"), tr("If you read this, aftersales can send mail to you.")
    message = Outgoing(f"test:{now().isoformat()}", "test", recipient, subject, body + "\n", app.settings.language, now())
    steps, is_taken = list[dict[str, str | None]](), True
    for step, why in trial(server, message):
        steps.append({"step": step, "error": why})
        is_taken = is_taken and why is None
        if not as_json:
            done = tr("failed: {why}", why=safe(why)) if why is not None else tr("done")
            print_wrapped(tr("{step}: {done}", step=safe(step), done=done))
    if as_json:
        print_json(steps)
    return is_taken
