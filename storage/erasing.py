"""A buyer taken out of the tables; history and ledger stay as they are (rule 6.4)."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select, update
from sqlmodel import SQLModel

from storage import imports, undoing
from storage.chains import members
from storage.chunks import chunked
from storage.tables import (
    AttentionRow,
    ClaimRow,
    EffectRow,
    FileRow,
    LineRow,
    MemberRow,
    MessageRow,
    OrderRow,
    ParcelRow,
    ReportRow,
    TimerRow,
    table_of,
)
from workflow.case.canonical import kept_json
from workflow.case.case import PERSONAL
from workflow.case.personal import is_name, pattern_of
from workflow.case.sealing import digests
from workflow.reports import FIELDS, Field
from workflow.vocabulary import MessageStatus

ERASED = "(erased)"


@dataclass(frozen=True, slots=True)
class Found:
    """An order whose buyer is meant."""

    id: int
    name: str
    buyer: str | None
    state: str


def orders_of(connection: Connection, buyer: str) -> list[int]:
    """Return the orders whose buyer has, or had before that was amended, this email address or name, whatever its case."""
    o, wanted = table_of(OrderRow), buyer.casefold()
    known = or_(o.c.buyer_email.is_not(None), o.c.buyer_name.is_not(None))
    rows = connection.execute(select(o.c.id, o.c.buyer_email, o.c.buyer_name).where(known).execution_options(yield_per=5_000))
    found = [key for key, *names in rows if wanted in [(name or "").casefold() for name in names]]
    return found + [key for key, names in _former_buyers(connection) if wanted in [name.casefold() for name in names]]


def _former_buyers(connection: Connection) -> Iterator[tuple[int, list[str]]]:
    """Yield orders with the addresses and names of the buyers that they had before those were amended."""
    r = table_of(ReportRow)
    rows = connection.execute(select(r.c.order_id, r.c.fields).where(r.c.trigger == "amend").execution_options(yield_per=5_000))
    for key, fields in rows:
        said = json.loads(fields)
        yield key, [str(said[name]) for name in ("was_buyer_email", "was_buyer_name") if said.get(name)]


def with_the_same_buyer(connection: Connection, order_id: int) -> list[int]:
    """Return an order, those of its chain of replacements, and all others with its buyer's email address."""
    o = table_of(OrderRow)
    mine = connection.execute(select(o.c.shop, o.c.number, o.c.chain, o.c.buyer_email).where(o.c.id == order_id)).one()
    chain = members(mine.shop, mine.number, mine.chain)
    ids = [key for (key,) in connection.execute(select(o.c.id).where(or_(chain, o.c.id == order_id)))]
    return ids + (orders_of(connection, mine.buyer_email) if mine.buyer_email else [])


def described(connection: Connection, order_ids: Iterable[int]) -> list[Found]:
    """Describe orders, for the person who is about to erase their buyer."""
    o = table_of(OrderRow)
    found: list[Found] = []
    for some in chunked(order_ids):
        for row in connection.execute(select(o).where(o.c.id.in_(some)).order_by(o.c.id)).mappings():
            buyer = row["buyer_email"] or row["buyer_name"] or (ERASED if row["erased"] else None)
            found.append(Found(row["id"], f"{row['shop']}/{row['number']}", buyer, row["state"]))
    return found


def personal_texts(connection: Connection, order_ids: Sequence[int]) -> list[str]:
    """Return every text that is known to be about the buyer of the orders, the longest first."""
    o, r = table_of(OrderRow), table_of(ReportRow)
    texts: set[str] = set()
    for some in chunked(order_ids):
        for row in connection.execute(select(*(o.c[name] for name in PERSONAL)).where(o.c.id.in_(some))):
            texts |= {text for text in row if text}
        for trigger, fields in connection.execute(select(r.c.trigger, r.c.fields).where(r.c.order_id.in_(some))):
            said = json.loads(fields)
            known = FIELDS.get(trigger, {})
            texts |= {str(value) for name, value in said.items() if _is_personal(name, known) and value}
    return sorted((text for text in texts if is_name(text)), key=len, reverse=True)


def erase_orders(connection: Connection, order_ids: Iterable[int]) -> None:
    """Take the buyer off orders; a new salt makes the digests in their histories unguessable."""
    o, gone = table_of(OrderRow), dict[str, Any](dict.fromkeys(PERSONAL))
    for key in order_ids:
        connection.execute(update(o).where(o.c.id == key).values(**gone, erased=True, salt=secrets.token_hex(16)))


def erase_reports(connection: Connection, order_ids: Iterable[int], texts: Sequence[str]) -> int:
    """Take personal fields out of reports, and the buyer's texts out of everything that was said."""
    r, changed, blot = table_of(ReportRow), 0, blotter(texts)
    for some in chunked(order_ids):
        for row in connection.execute(select(r).where(r.c.order_id.in_(some))).mappings().all():
            known = FIELDS.get(row["trigger"], {})
            said = {name: _blotted(name, value, known, blot) for name, value in json.loads(row["fields"]).items()}
            values = {"fields": kept_json(said), "reason": blot(row["reason"]), "word": blot(row["word"])}
            if any(row[name] != value for name, value in values.items()):
                connection.execute(update(r).where(r.c.id == row["id"]).values(values))
                changed += 1
    return changed


def _is_personal(name: str, known: Mapping[str, Field]) -> bool:
    """Say whether a field of a report tells of the buyer, as they are or (was_…) as they were."""
    field = known.get(name.removeprefix("was_"))
    return field is not None and field.personal


def _blotted(name: str, value: Any, known: Mapping[str, Field], blot: Callable[[Any], Any]) -> Any:
    """Return a field without the buyer: a personal one is erased, a free text is redacted, other values stay."""
    if _is_personal(name, known):
        return ERASED
    return blot(value) if name not in known or known[name].kind == "text" else value


def erase_notes(connection: Connection, order_ids: Iterable[int], texts: Sequence[str]) -> None:
    """Take the buyer's texts out of what was noted of effects, flags and claims."""
    blot = blotter(texts)
    notes: tuple[tuple[type[SQLModel], tuple[str, ...]], ...] = (
        (AttentionRow, ("detail", "word")),
        (EffectRow, ("details", "error")),
        (TimerRow, ("error",)),
        (ClaimRow, ("evidence",)),
        (LineRow, ("title",)),
        (ParcelRow, ("carrier", "tracking_number")),
    )
    undoing.forget(connection, order_ids)
    imports.unmark(connection, order_ids)
    for model, names in notes:
        table = table_of(model)
        for some in chunked(order_ids):
            for row in connection.execute(select(table).where(table.c.order_id.in_(some))).mappings().all():
                values = {name: _without(name, row[name], blot) for name in names}
                if any(row[name] != value for name, value in values.items()):
                    this = [column == row[column.name] for column in table.primary_key.columns]
                    connection.execute(update(table).where(*this).values(values))


def _without(name: str, value: str | None, blot: Callable[[Any], Any]) -> Any:
    if name == "evidence" and value is not None:
        kept = json.loads(value)
        files = digests(kept)  # they are sealed, and say nothing of a buyer even if one is called so
        return kept_json([one if one in files else blot(one) for one in kept])
    if name != "details" or value is None:
        return blot(value)
    known = {field: one for fields in FIELDS.values() for field, one in fields.items()}
    ours = ("about", "supplier", "kind", "chosen", "window_ends", "evidence_until")
    said = json.loads(value)
    return kept_json({field: text if field in ours else _blotted(field, text, known, blot) for field, text in said.items()})


def erase_messages(connection: Connection, order_ids: Iterable[int], texts: Sequence[str]) -> list[str]:
    """Empty the messages about these orders that have left; return the keys of all that may stand in a file by now.

    One that may still leave goes on with the buyer blotted out, under another key if it has been tried: under one key
    the text is always the same. A digest that tells of others too says nothing of buyers.
    """
    mine, blot = set(order_ids), blotter(texts)
    m = table_of(MessageRow)
    keys = []
    for some in chunked(_about_these_alone(connection, mine)):
        for row in connection.execute(select(m).where(m.c.id.in_(some))).mappings().all():
            values = {name: blot(row[name]) for name in ("subject", "body", "recipient", "error")} | {"attachments": None}
            if row["status"] in FINISHED:
                values |= {"subject": ERASED, "body": ERASED}
            elif _was_tried(row) and any(values[name] != row[name] for name in ("subject", "body", "recipient", "attachments")):
                values["key"] = f"{row['key']}:{secrets.token_hex(3)}"
            if _was_tried(row):
                keys.append(row["key"])
            connection.execute(update(m).where(m.c.id == row["id"]).values(values))
    return keys


def erase_files_of_the_inbox(connection: Connection, texts: Sequence[str]) -> None:
    """Take a buyer out of what is kept of the inbox's files: their names, and cells that were quoted."""
    f, blot = table_of(FileRow), blotter(texts)
    for row in connection.execute(select(f.c.id, f.c.name, f.c.summary, f.c.note).execution_options(yield_per=500)).mappings():
        told = {name: blot(row[name]) for name in ("name", "summary", "note")}
        if any(row[name] != value for name, value in told.items()):
            connection.execute(update(f).where(f.c.id == row["id"]).values(**told))


def _was_tried(message: Mapping[Any, Any]) -> bool:
    """Say whether a message may have reached its channel: a person's retry counts its tries anew, and leaves the error."""
    return message["tries"] > 0 or message["error"] is not None


def _about_these_alone(connection: Connection, order_ids: set[int]) -> list[int]:
    """Return the messages that tell of these orders and of no others."""
    member, e = table_of(MemberRow), table_of(EffectRow)
    about: dict[int, set[int]] = {}
    for some in chunked(order_ids):
        carried = select(member.c.message_id).join(e, e.c.id == member.c.effect_id).where(e.c.order_id.in_(some))
        everyone = select(member.c.message_id, e.c.order_id).join(e, e.c.id == member.c.effect_id)
        for message_id, order_id in connection.execute(everyone.where(member.c.message_id.in_(carried))):
            about.setdefault(message_id, set()).add(order_id)
    return [message_id for message_id, orders in about.items() if orders <= order_ids]


def being_sent(connection: Connection, order_ids: Iterable[int]) -> bool:
    """Say whether a message about these orders is being sent now, with the text that it had when it was taken."""
    m, member, e = table_of(MessageRow), table_of(MemberRow), table_of(EffectRow)
    sending = select(m.c.id).join(member, member.c.message_id == m.c.id).join(e, e.c.id == member.c.effect_id)
    sending = sending.where(m.c.status == MessageStatus.sending)
    return any(connection.execute(sending.where(e.c.order_id.in_(some)).limit(1)).first() for some in chunked(order_ids))


FINISHED = ("sent", "dropped")
"""Statuses of messages that nothing sends (again)."""


def blotter(texts: Sequence[str]) -> Callable[[Any], Any]:
    """Return what replaces the texts inside any other text, as whole words and whatever their case."""
    pattern = pattern_of(tuple(texts))
    return lambda value: pattern.sub(ERASED, value) if pattern and isinstance(value, str) else value
