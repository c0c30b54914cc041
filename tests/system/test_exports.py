"""Daily exports of a shop, imported one after another (`drills/exports.py` does it with thousands of orders)."""

from drills import exports


def test_daily_exports_leave_each_order_as_the_last_one_alone_does(tmp_path, capsys):
    assert exports.run(120, 20, 1, tmp_path) == []
    assert " unchanged" in capsys.readouterr().out


def test_what_the_comparison_looks_for_is_found(tmp_path, monkeypatch):
    told = exports.standing
    monkeypatch.setattr(exports, "standing", lambda case: {**told(case), "paid": (case.paid or 0) + id(case)})
    assert exports.run(5, 8, 1, tmp_path)
