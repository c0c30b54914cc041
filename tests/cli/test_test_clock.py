"""A database with a test clock: time stands still until it is moved, through every due instant, and only forward."""

import pytest
from sqlalchemy import text

from engine.auditing import audit
from storage import queries
from storage.database import Database

ORDERS = """id,placed_at,supplier,alternatives,route,currency,paid,sku,quantity
1,2026-03-02T09:00:00Z,Yiwu,Ningbo,domestic,CNY,25.90,LAMP,1
2,2026-03-02T12:00:00Z,Yiwu,,domestic,CNY,25.90,LAMP,1
"""


@pytest.fixture
def tried(run, tmp_path, monkeypatch):
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "policy.toml").write_text("[effects]\ndefault_channels = ['file']\n")
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "policy.toml"))
    monkeypatch.setenv("AFTERSALES_TIME_ZONE", "UTC")
    return run


@pytest.fixture
def begun(tried):
    from freezegun import freeze_time

    with freeze_time("2026-03-02T13:00:00Z"):
        said = tried("db", "upgrade", "--test-clock")
    assert "Its test clock stands at 2026-03-02T13:00:00Z" in said.out
    assert tried("import", "orders.csv").code == 0
    return tried


def test_every_deadline_fires_at_its_own_instant_and_messages_leave(begun, tmp_path):
    assert "Fired 0 timers" in begun("once").out
    said = begun("once", "--until", "2026-04-15T00:00:00Z")
    assert said.code == 0
    assert "could not be sent" in said.out
    database = Database(f"sqlite:///{tmp_path / 'aftersales.db'}")
    with database.read() as connection:
        late = connection.execute(text("SELECT count(*) FROM history WHERE due IS NOT NULL AND recorded <> due")).scalar()
        fired = connection.execute(text("SELECT count(*) FROM history WHERE due IS NOT NULL")).scalar()
        steps = [row.trigger for row in queries.history(connection, 1)]
    assert (late, fired > 4) == (0, True)
    assert steps[:3] == ["place", "urge", "reroute"]
    assert (tmp_path / "outbox.jsonl").read_text().count("urge_supplier") >= 2
    assert audit(database).broken == []
    database.close()


def test_the_clock_goes_forward_and_every_command_takes_it(begun):
    assert begun("once", "--until", "3d").code == 0
    said = begun("once", "--until", "2026-03-03T00:00:00Z")
    assert said.code == 2
    assert "the test clock stands at 2026-03-05T13:00:00Z, and only goes forward" in said.out
    assert "(in 20 hours 0 min)" in begun("timers", "--trigger", "reroute").out
    refused = begun("run")
    assert refused.code == 2
    assert "has a test clock" in refused.out
    assert begun("db", "upgrade", "--test-clock").code == 2


def test_other_databases_refuse_to_be_stepped_through(tried):
    assert tried("import", "orders.csv").code == 0
    said = tried("once", "--until", "3d")
    assert said.code == 2
    assert "make a new database with `aftersales db upgrade --test-clock`" in said.out
    assert "has orders: a test clock is given to a new database" in tried("db", "upgrade", "--test-clock").out
