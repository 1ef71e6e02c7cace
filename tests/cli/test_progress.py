"""What is told while content moves: bars that never fill the screen, or lines."""

import contextlib
import io

from killick.cli.progress import MOST_FINISHED_BARS, PULL, Bars, Lines
from killick.digest import Digest
from killick.manifest import OCI_LAYER, OCI_MANIFEST, Descriptor

LAYERS = [Descriptor(OCI_LAYER, Digest.of(bytes([n])), 1000) for n in range(200)]
MANIFEST = Descriptor(OCI_MANIFEST, Digest.of(b"manifest"), 1000)


def test_two_hundred_layers_do_not_push_the_screen_away():
    with contextlib.redirect_stderr(io.StringIO()):
        bars = Bars(PULL)
        bars.plan(LAYERS)
        for layer in LAYERS:
            bars.start(layer, 0)
            bars.advance(layer, 1000)
            bars.finish(layer, "copied")
            assert len(bars._rich.tasks) <= MOST_FINISHED_BARS + 2
        total = bars._rich.tasks[0]
        bars.close()
    assert (total.description, total.completed, total.total) == ("Total: 200 of 200", 2e5, 2e5)


def test_the_total_is_what_has_to_move():
    with contextlib.redirect_stderr(io.StringIO()):
        bars = Bars(PULL)
        bars.plan(LAYERS[:4])
        bars.finish(LAYERS[0], "exists")
        bars.start(LAYERS[1], 400)
        bars.finish(LAYERS[2], "mounted")
        bars.start(MANIFEST, 0)
        bars.advance(MANIFEST, 1000)
        bars.finish(MANIFEST, "copied")
        total = bars._rich.tasks[0]
        assert (total.description, total.completed, total.total) == ("Total: 2 of 4", 0, 1600)
        bars.close()
        bars.start(LAYERS[3], 0)
        bars.finish(LAYERS[1], "failed")


def test_nothing_is_drawn_where_nothing_moves():
    with contextlib.redirect_stderr(io.StringIO()) as err:
        bars = Bars(PULL)
        bars.plan(LAYERS[:1])
        bars.finish(LAYERS[0], "exists")
        bars.close()
    assert err.getvalue() == ""


def test_lines_say_what_becomes_of_each_layer():
    with contextlib.redirect_stderr(io.StringIO()) as err:
        lines = Lines(PULL)
        lines.start(LAYERS[0], 500)
        lines.advance(LAYERS[0], 500)
        lines.finish(LAYERS[0], "copied")
        lines.finish(LAYERS[1], "exists")
        lines.finish(LAYERS[2], "mounted")
        lines.finish(LAYERS[3], "failed")
        lines.finish(MANIFEST, "copied")
    told = [line.partition(": ")[2] for line in err.getvalue().splitlines()]
    assert told == [
        "Pulling (goes on at 500B of 1kB)",
        "Download complete",
        "Already exists",
        "Mounted from another repository",
        "Stopped",
    ]
