"""The command, run in a folder of its own with a file of orders."""

import json
import os
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from admin.main import cli
from workflow.errors import AftersalesError, UsageError

ORDERS = """id,placed_at,supplier,route,currency,paid,sku,quantity,ship_at,ship_carrier,hold_at,hold_wants
1001,2025-03-03T09:00:00Z,Yiwu,domestic,CNY,25.90,LAMP,1,,,,
1002,2025-03-03T09:00:00Z,Yiwu,international,USD,12.50,MUG,2,2025-03-04T09:00:00Z,Cainiao,2025-03-06T09:00:00Z,documents
1003,2025-03-03T09:00:00Z,Yiwu,domestic,QQQ,10,MUG,1,,,,
1004,2025-03-03T09:00:00Z,Yiwu,domestic,CNY,1,MUG,1,,,,
1005,yesterday,Yiwu,domestic,CNY,1,MUG,1,,,,
"""


@dataclass
class Said:
    code: int
    out: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("AFTERSALES_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "orders.csv").write_text(ORDERS)

    def call(*words: str, typed: str | None = None) -> Said:
        result = CliRunner().invoke(cli, words, input=typed)
        if isinstance(result.exception, AftersalesError):
            return Said(2 if isinstance(result.exception, UsageError) else 1, str(result.exception))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.output)

    return call


@pytest.fixture
def asking(tmp_path, monkeypatch):
    """A policy under which a person approves what moves goods or money."""
    modes = "".join(f"{kind} = 'ask'\n" for kind in ("place_supply", "request_refund", "place_reissue"))
    (tmp_path / "asking.toml").write_text(f"[effects.modes]\n{modes}")
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "asking.toml"))
