"""Figures: counted by each worker in a slot of its own, told as one."""

import stat
from multiprocessing import get_context

import pytest

from killick.server.figures import ROUTES, Figures, Seen


def seen(method="GET", route="manifest", status=200, sent=5, received=0, seconds=0.002):
    return Seen(method, route, status, sent, received, seconds, "alice", "r-1", "/v2/", "::1")


def lines(figures):
    return [line for line in figures.text().splitlines() if not line.startswith("#")]


def test_requests_are_told_by_method_route_and_status():
    figures = Figures()
    for status in (200, 200, 404, 418):
        figures.request(seen(status=status))
    told = lines(figures)
    labels = 'method="GET",route="manifest"'
    assert f'killick_http_requests_total{{{labels},status="200"}} 2' in told
    assert f'killick_http_requests_total{{{labels},status="404"}} 1' in told
    assert f'killick_http_requests_total{{{labels},status="other"}} 1' in told
    assert f"killick_http_sent_bytes_total{{{labels}}} 20" in told


def test_what_no_table_knows_is_counted_as_other():
    figures = Figures()
    figures.request(seen(method="BREW", route="pot"))
    assert any('method="other",route="none",status="200"} 1' in line for line in lines(figures))


def test_the_histogram_is_cumulative_and_ends_with_all():
    figures = Figures()
    for seconds in (0.0001, 0.001, 0.03, 99.0):
        figures.request(seen(seconds=seconds))
    told = [line for line in lines(figures) if line.startswith("killick_http_request_seconds")]
    counts = [int(line.rpartition(" ")[2]) for line in told if "_bucket" in line]
    assert counts == sorted(counts)
    assert 'le="0.001"} 2' in told[0]
    assert 'le="+Inf"} 4' in told[-3]
    assert told[-2].endswith(" 99.0311")
    assert told[-1].endswith(" 4")


def test_events_are_counted_by_their_label():
    figures = Figures()
    figures.count("tag_moves", "rollback", 2)
    figures.count("tag_moves", "of a kind that is new")
    assert 'killick_tag_moves_total{change="rollback"} 2' in lines(figures)
    assert 'killick_tag_moves_total{change="other"} 1' in lines(figures)
    with pytest.raises(KeyError):
        figures.count("no such family", "x")


def work(path, slot):
    figures = Figures(3, slot, path)
    for _ in range(1000):
        figures.request(seen())


def test_workers_count_beside_each_other_and_their_figures_outlive_them(tmp_path):
    path = tmp_path / "figures"
    mine = Figures(3, 0, path)
    mine.request(seen())
    processes = [get_context("fork").Process(target=work, args=(path, n)) for n in (1, 2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert 'method="GET",route="manifest",status="200"} 2001' in mine.text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_route_has_figures():
    figures = Figures()
    for route in ROUTES:
        figures.request(seen(route=route))
    assert sum(line.startswith("killick_http_requests_total") for line in lines(figures)) == len(
        ROUTES
    )
