"""Letters written from templates, in English and Chinese; a user's own templates come first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, FileSystemLoader, TemplateError, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from workflow.case.case import Order
from workflow.case.money import show_amount
from workflow.errors import AftersalesError
from workflow.process import EFFECTS
from workflow.suggestions import did_you_mean

LANGUAGES = ("en", "zh")
LONGEST_TEXT = 100_000
"""Characters that a template may make by repeating a text."""
LARGEST = 1_000
"""Largest number that a template may raise to a power, or by."""
OURS = Path(__file__).parent / "texts"


class BadTemplate(AftersalesError):
    """A template cannot be used; the message names it."""


class Sandbox(SandboxedEnvironment):
    """Templates that can neither reach the program nor fill the memory: a text is not multiplied beyond a letter's size."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply or raise numbers, or repeat a short text.

        Raises:
            SecurityError: the result would be larger than any letter.

        """
        texts = [one for one in (left, right) if isinstance(one, str | list)]
        times = [abs(one) for one in (left, right) if isinstance(one, int)]
        if (texts and times and len(texts[0]) * times[0] > LONGEST_TEXT) or (
            operator == "**" and max(times, default=0) > LARGEST
        ):
            raise SecurityError(f"the result of {operator} would be too large for a letter")
        return super().call_binop(context, operator, left, right)


@dataclass(frozen=True, slots=True)
class OrderedGoods:
    """A line that a letter orders: `sku` as its reader knows it, `limit` the most that a piece may cost, as a sum in words."""

    quantity: int
    sku: str
    title: str = ""
    address: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class LetterContext:
    """What a letter speaks about: an order, and what happened to it."""

    order: Order
    attempt: int
    caused_at: datetime
    details: Mapping[str, Any]
    supplier_number: str | None = None
    goods: tuple[OrderedGoods, ...] = ()
    """What the order has, and of a letter that orders it, at which price; empty where the letter names no goods."""
    limit: str | None = None
    """The most that all of it may cost, as a sum in words; None where that is not known."""

    @property
    def number(self) -> str:
        """The number that the supplier knows the order by, with ours; ours alone where that is not known."""
        ours = self.order.name
        return ours if self.supplier_number is None else f"{self.supplier_number} ({ours})"


@dataclass(frozen=True, slots=True)
class Letter:
    """A written letter."""

    subject: str
    body: str


class Letters:
    """Writes letters. `own` is a folder with `en/KIND.txt` and `zh/KIND.txt` of the user's.

    The first line of a template is the subject; the rest, after an empty line, the body.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._own = own
        folders = [str(folder) for folder in (own, OURS) if folder]
        options: dict[str, Any] = {"undefined": ChainableUndefined, "trim_blocks": True, "lstrip_blocks": True}
        self._templates = {}
        for language in LANGUAGES:
            templates = Sandbox(loader=FileSystemLoader(folders), optimized=False, **options)
            templates.filters["money"] = partial(_money, language=language)
            templates.filters["instant"] = _instant
            templates.filters["day"] = _day
            templates.filters["wrong"] = partial(_what_is_wrong, language=language)
            templates.filters["listed"] = partial(_listed, language=language)
            templates.filters["because"] = lambda details, language=language: _because(details, language)
            self._templates[language] = templates

    def write(self, kind: str, language: str, matters: Sequence[LetterContext], zone: tzinfo = UTC) -> Letter:
        """Write the letter of an effect kind about one matter or, as a digest, about many; times are those of a zone.

        Raises:
            BadTemplate: the template is missing or cannot be filled in.

        """
        chosen = "zh" if language.lower().startswith("zh") else "en"
        name, first = f"{chosen}/{kind}.txt", matters[0]
        about = {"order": first.order, "number": first.number, "attempt": first.attempt}
        about |= {"caused_at": first.caused_at, "details": first.details, "goods": first.goods, "limit": first.limit}
        try:
            text = self._templates[chosen].get_template(name).render(matters=matters, kind=kind, zone=zone, **about)
        except Exception as error:  # a user's template may fail in any way, and must not stop other letters
            raise BadTemplate(f"the template {name} cannot be used: {type(error).__name__}: {error}") from None
        subject, _, body = text.strip().partition("\n")
        told = str(first.details.get("tell") or "")
        if len(matters) == 1 and told not in body:
            body = f"{body.strip()}\n\n{told}"
        return Letter(" ".join(subject.split()), body.strip() + "\n")

    def problems(self) -> Iterator[str]:
        """Yield effects without a text in some language, and what is wrong with the user's own templates."""
        names = (f"{language}/{effect.kind}.txt" for language in LANGUAGES for effect in EFFECTS)
        yield from (f"there is no text {name}" for name in names if not (OURS / name).is_file())
        if self._own is None:
            return
        if not self._own.is_dir():
            yield f"the templates {self._own} are not a folder"
        kinds = [effect.kind for effect in EFFECTS]
        for path in sorted(self._own.glob("*/*")):
            if path.parent.name not in LANGUAGES or path.suffix != ".txt" or path.stem not in kinds:
                yield f"{path} is no template: write {'|'.join(LANGUAGES)}/KIND.txt{did_you_mean(path.stem, kinds)}"
                continue
            try:
                self._templates[path.parent.name].get_template(f"{path.parent.name}/{path.name}")
            except (TemplateError, UnicodeError) as error:
                yield f"{path} cannot be used: {error}"


_WRONG = {"missing": "缺少", "wrong": "发错", "damaged": "破损", "not_received": "未收到"}
"""What is wrong with claimed pieces, in Chinese."""


def _what_is_wrong(kind: Any, *, language: str) -> str:
    """Write the kind of a claim; where there is none, nothing."""
    return _WRONG.get(str(kind), "") if language == "zh" else str(kind or "").replace("_", " ")


def _listed(goods: Sequence[OrderedGoods], *, language: str) -> str:
    """Write goods in one line: how many of which."""
    names = [f"{one.sku} ({one.title})" if one.sku and one.title else one.sku or one.title for one in goods]
    if language == "zh":
        return "、".join(f"{name} {one.quantity} 件" for name, one in zip(names, goods, strict=True))
    return ", ".join(f"{one.quantity} x {name}" for name, one in zip(names, goods, strict=True))


def _money(minor: Any, currency: str, *, language: str) -> str:
    """Write a sum; one that is not known is the full amount paid (rule 8.6)."""
    return show_amount(minor, currency) if isinstance(minor, int) else _FULL_AMOUNT[language]


_FULL_AMOUNT = {"en": "the full amount paid", "zh": "已付全款"}


_BECAUSE = {
    "reroute": ("the supplier has not shipped", "供应商未发货"),
    "report_no_stock": ("the supplier has no stock", "供应商缺货"),
    "report_unresponsive": ("the supplier does not answer", "供应商无回复"),
    "report_closed": ("the supplier or the platform has cancelled the order", "供应商或平台已取消订单"),
    "report_oversized": ("the goods are too large or too heavy to ship", "货物超大或超重"),
    "confirm_interception": ("the order was stopped before it arrived", "订单已拦截"),
    "choose_refund": ("the claim was approved", "申诉已通过"),
    "lapse_window": ("the claim was approved, and the time for another remedy is over", "申诉已通过，补救期限已过"),
}
"""Why money is asked for, by the trigger: in English and Chinese."""


def _because(details: Mapping[str, Any], language: str) -> str:
    """Return the reason that a file or carrier reported, else the process's own."""
    english, chinese = _BECAUSE.get(str(details.get("about")), (str(details.get("about")),) * 2)
    return str(details.get("reason") or (chinese if language == "zh" else english))


@pass_context
def _instant(context: Context, written: Any) -> str:
    """Write an instant in the reader's zone, with its offset; where there is none, nothing. It may be a text of ISO 8601."""
    if not written:
        return ""
    at = _local(context, written)
    hours, minutes = divmod(round((at.utcoffset() or timedelta(0)).total_seconds() / 60), 60)
    offset = f"{hours:+d}:{minutes:02d}" if minutes else f"{hours:+d}" if hours else ""
    return f"{at:%Y-%m-%d %H:%M} (UTC{offset})"


@pass_context
def _day(context: Context, written: Any) -> str:
    """Write on which day something was, in the reader's zone; where there is no instant, nothing."""
    return f"{_local(context, written):%Y-%m-%d}" if written else ""


def _local(context: Context, written: Any) -> datetime:
    at = written if isinstance(written, datetime) else datetime.fromisoformat(str(written))
    return at.astimezone(context["zone"])
