"""The sample shop: lived through by its merchant, with a few things left, and a tour whose every line works."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).parent / "aftersales")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run the demo once; return its folder and what it printed."""
    where = tmp_path_factory.mktemp("demo")
    env = {name: value for name, value in os.environ.items() if not name.startswith("AFTERSALES_")}
    ran = subprocess.run([COMMAND, "demo", "--seconds", "1"], cwd=where, capture_output=True, text=True, env=env, check=False)
    assert ran.returncode == 0, ran.stderr
    return where / "demo", ran.stdout


def call(folder, words):
    made = subprocess.run([COMMAND, *words], cwd=folder, capture_output=True, text=True, check=False)
    return made.returncode, made.stdout + made.stderr


def test_every_line_of_the_tour_works_on_the_shop_that_the_demo_leaves(demo):
    folder, said = demo
    tour = re.findall(r"^  \S*aftersales (.*?) +# \S", said, re.MULTILINE)
    assert [line.split()[0] for line in tour] == [
        *("today", "explain", "decide", "undo", "money", "timers", "show", "claims", "simulate", "check"),
    ]
    for line in tour:
        words = shlex.split(line)
        code, told = call(folder, [*words, "--yes"] if words[0] == "decide" else words)
        assert code == 0, told
    assert (folder / "claims.html").is_file()


def test_the_shop_is_run_well_and_a_handful_of_things_is_left(demo):
    folder, _ = demo
    _, left = call(folder, ["today"])
    assert 3 <= int(re.search(r": (\d+) things need you", left)[1]) <= 30
    _, money = call(folder, ["money"])
    assert "\nLost since " in money
    _, audited = call(folder, ["audit", "--deep"])
    assert " 0 broken." in audited


def test_every_line_of_the_tour_works_in_chinese_too(demo):
    folder, said = demo
    (folder / "zh.toml").write_text((folder / "aftersales.toml").read_text() + "language = 'zh'\n")
    chinese = re.compile(r"[\u4e00-\u9fff]")
    for line in re.findall(r"^  \S*aftersales (.*?) +# \S", said, re.MULTILINE):
        words = shlex.split(line)
        if words[0] not in ("decide", "undo", "claims"):
            code, told = call(folder, ["--config", "zh.toml", *words])
            assert code == 0, told
            assert chinese.search(told), told
    _, told = call(folder, ["--config", "zh.toml", "explain", "7777777"])
    assert told.startswith("aftersales: 没有订单 '7777777'")
    assert "用法：" in call(folder, ["--config", "zh.toml", "today", "--help"])[1]


def test_what_scripts_read_is_the_same_in_every_language(demo):
    folder, _ = demo
    for words in (["orders", "--limit", "3"], ["timers", "--limit", "3"], ["today"], ["money"], ["show", "1003"], ["stats"]):
        read = [json.loads(call(folder, ["--config", file, *words, "--json"])[1]) for file in ("aftersales.toml", "zh.toml")]
        assert keys(read[0]) == keys(read[1])


def keys(value):
    """Return the keys of JSON, whatever stands under them."""
    if isinstance(value, list):
        return [keys(one) for one in value]
    return {name: keys(one) for name, one in value.items()} if isinstance(value, dict) else None
