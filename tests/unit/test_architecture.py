"""Imports point one way, without rings, in functions too; and the library's face is what it is."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import killick

SOURCE = Path(killick.__file__).parent

# A room may import from lower rows only. Rooms in one row are siblings: strangers to each other.
ROWS = (
    {"bounds", "errors"},
    {"digest", "files", "moments", "strictjson", "tarball"},
    {"changes", "compression", "names", "platforms", "rights"},
    {"manifest", "observation", "openvex", "rules"},
    {"knowledge", "repository"},
    {"chain", "immutability", "inventory", "moves", "sightings", "transfer", "travel", "wire"},
    {"accounts", "archive", "client", "fleet", "layout", "memory", "rootfs", "server", "store"},
    {"cli"},
    {"__main__"},
)
ROW = {room: number for number, row in enumerate(ROWS) for room in row}


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _imports(path: Path) -> Iterator[str]:
    """Our modules that this file imports, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            if node.module in MODULES:
                for alias in node.names:
                    deeper = f"{node.module}.{alias.name}"
                    # The version is the one thing that the package itself gives to its rooms.
                    if alias.name != "__version__":
                        yield deeper if deeper in MODULES else node.module


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


@pytest.mark.parametrize("module", [name for name in MODULES if "." in name])
def test_imports_point_down(module: str) -> None:
    room = _room(module)
    assert room in ROW, f"{room} is new: give it a row above, and a line in docs/architecture.md"
    wrong = [
        imported
        for imported in _imports(MODULES[module])
        if _room(imported) != room and ROW.get(_room(imported), len(ROWS)) >= ROW[room]
    ]
    assert not wrong


def test_there_are_no_rings() -> None:
    graph = {name: set(_imports(path)) - {name} for name, path in MODULES.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_the_library_shows_these_names() -> None:
    assert sorted(killick.__all__) == ["Digest", "Name", "Platform", "Reference", "Tag"]
    assert all(hasattr(killick, name) for name in killick.__all__)
