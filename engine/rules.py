"""The policy in force, and those under which timers were set, by their versions in the database."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from engine.catalogue import chooser_of
from storage import policies
from storage.database import Database, reading, repeated, writing
from workflow.errors import AftersalesError
from workflow.policy.policy import Rules, calendar_of, digest, read_policy


@repeated
def rules_in_force(target: Database | Connection, text: str, at: datetime) -> Rules:
    """Return the rules of a policy text; a text that is not the last version is stored as a new one.

    Raises:
        PolicyError: the text cannot be used.

    """
    rules = rules_for_reading(target, text)
    if rules.version:
        return rules
    with writing(target) as connection:
        return Rules(policies.version_of(connection, text, at), rules.policy, rules.calendar, chooser=rules.chooser)


def rules_for_reading(target: Database | Connection, text: str) -> Rules:
    """Return the rules of a policy text without storing it; their version is 0 if it is not the last one.

    Raises:
        PolicyError: the text cannot be used.

    """
    policy = read_policy(text)
    with reading(target) as connection:
        version, last = policies.newest(connection)
    return Rules(version if last == digest(text) else 0, policy, calendar_of(policy), chooser=chooser_of(target))


def pinned_rules(connection: Connection, versions: Iterable[int], rules: Rules) -> dict[int, Rules]:
    """Return the policies under which timers were set; a text that cannot be read any more gives way to `rules`."""
    found: dict[int, Rules] = {}
    for version, text in policies.texts(connection, set(versions)).items():
        try:
            policy = read_policy(text)
            found[version] = Rules(version, policy, calendar_of(policy), chooser=rules.chooser)
        except AftersalesError:  # written for an older program
            found[version] = rules
    return found
