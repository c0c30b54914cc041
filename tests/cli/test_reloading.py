"""Settings, policy and templates that change while a daemon runs."""

import os
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import pytest

from admin.app import App
from admin.reloading import Reloader
from admin.settings_digest import digest_of
from engine.health import health
from engine.owning import owned
from jobs.passes import note_settings, reload_settings
from tests.factories import day

AT = day(1)
POLICY = "[overdue]\nurge_after = '{}'\n"


@pytest.fixture
def app(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith("AFTERSALES_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY.format("2d"))
    (tmp_path / "aftersales.toml").write_text('policy = "policy.toml"\n')
    with click.Context(click.Command("run"), obj={}) as context:
        made = App(context)
        made.made()
        yield made


@pytest.fixture
def runtime(app):
    reload, runtime = Reloader(app), app.runtime()
    runtime.reload, runtime.settings = reload, digest_of(app)
    return runtime


@contextmanager
def daemon(runtime):
    with owned(runtime.database, "run", AT) as owner:
        yield lambda: reload_settings(runtime, owner, AT)


def urge_after(runtime):
    return str(runtime.rules.policy.overdue.urge_after)


def test_a_changed_policy_counts_from_then_on(runtime, tmp_path):
    with daemon(runtime) as look:
        assert not look()
        (tmp_path / "policy.toml").write_text(POLICY.format("3d"))
        assert look()
        assert (urge_after(runtime), runtime.rules.version) == ("3d", 2)
        assert not look()


def test_changed_settings_and_templates_count_from_then_on(runtime, tmp_path):
    (tmp_path / "texts" / "en").mkdir(parents=True)
    with daemon(runtime) as look:
        (tmp_path / "aftersales.toml").write_text(
            'policy = "policy.toml"\ntemplates = "texts"\n[webhooks.erp]\nurl = "https://example.com/"\n'
            'secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]\n'
        )
        assert look()
        assert "webhook.erp" in runtime.messenger.channels
        before = runtime.messenger.letters
        (tmp_path / "texts" / "en" / "escalate.txt").write_text("Mine\n\n{{ order.name }}")
        assert look()
        assert runtime.messenger.letters is not before
        assert runtime.rules.version == 1, "the policy is the same"


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("policy.toml", "[overdue]\nurge_after = 'soon'\n", "'soon' is not a duration"),
        ("aftersales.toml", "polcy = 'x'\n", "is not a setting"),
        ("aftersales.toml", "policy = 'missing.toml'\n", "missing.toml"),
        ("aftersales.toml", "policy = 'policy.toml'\ndatabase = 'sqlite:///other.db'\n", "must be stopped and started"),
        ("texts/en/escalate.txt", "{{ ordr }}", "speaks of ordr"),
    ],
)
def test_what_is_wrong_is_refused_whole_and_said_once(runtime, tmp_path, caplog, file, text, why):
    if file.startswith("texts"):
        (tmp_path / "texts" / "en").mkdir(parents=True)
        (tmp_path / "aftersales.toml").write_text('policy = "policy.toml"\ntemplates = "texts"\n')
    with daemon(runtime) as look:
        look()
        messenger = runtime.messenger
        (tmp_path / file).write_text(text)
        assert not look()
        assert not look()
        assert sum(why in line for line in caplog.messages) == 1
        assert (urge_after(runtime), runtime.messenger) == ("2d", messenger)
        assert why in health(runtime.database, AT).heartbeat.refused


@pytest.mark.parametrize(("file", "wrong"), [("policy.toml", "[overdue\n"), ("aftersales.toml", "policy = 3\n")])
def test_settings_that_are_put_right_count_again(runtime, tmp_path, file, wrong):
    right = (tmp_path / file).read_text()
    with daemon(runtime) as look:
        (tmp_path / file).write_text(wrong)
        assert not look()
        (tmp_path / file).write_text(right)
        assert look()
        assert health(runtime.database, AT).heartbeat.refused is None


def test_check_says_when_the_daemon_works_with_other_settings(run, tmp_path, monkeypatch):
    (tmp_path / "aftersales.toml").write_text("language = 'en'\n")
    run("import", "orders.csv")
    with click.Context(click.Command("run"), obj={}) as context:
        app = App(context)
        runtime = app.runtime()
        runtime.settings, runtime.reload = digest_of(app), Reloader(app)
        now = datetime.now(UTC)
        with owned(runtime.database, "run", now) as owner:
            note_settings(runtime, owner)
            assert "A034" not in run("check").out
            (tmp_path / "aftersales.toml").write_text("time_zone = 'Asia/Shanghai'\n")
            assert "works with other settings than these files have" in run("check").out
            (tmp_path / "aftersales.toml").write_text("time_zone = 'Asia/Shanghai'\ntemplates = 'nowhere'\n")
            reload_settings(runtime, owner, now)
            assert "has refused the settings as they are now: the templates nowhere are not a folder" in run("check").out
