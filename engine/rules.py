"""The policy in force, with its version in the database."""

from datetime import datetime

from sqlalchemy import Connection

from storage import policies
from storage.database import Database, reading, writing
from workflow.policy.policy import Rules, calendar_of, digest, read_policy


def rules_in_force(target: Database | Connection, text: str, at: datetime) -> Rules:
    """Return the rules of a policy text; a text that is not the last version is stored as a new one.

    Raises:
        PolicyError: the text cannot be used.

    """
    rules = rules_for_reading(target, text)
    if rules.version:
        return rules
    with writing(target) as connection:
        return Rules(policies.version_of(connection, text, at), rules.policy, rules.calendar)


def rules_for_reading(target: Database | Connection, text: str) -> Rules:
    """Return the rules of a policy text without storing it; their version is 0 if it is not the last one.

    Raises:
        PolicyError: the text cannot be used.

    """
    policy = read_policy(text)
    with reading(target) as connection:
        version, last = policies.newest(connection)
    return Rules(version if last == digest(text) else 0, policy, calendar_of(policy))
