"""Planting a seeded fault: lines of a module are replaced as it is imported.

Nothing of this is part of the package; what is installed can't be made to misbehave by a variable.
A seed whose lines are not in the module any more is an error, so that seeds keep up with the code.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader

from faults.seeds import SEEDS


def plant(name):
    """Plant the seed called `name`, if there is a name, in this process."""
    if name:
        sys.meta_path.insert(0, _Finder(SEEDS[name]))


class _Finder(MetaPathFinder):
    def __init__(self, seed):
        self._seed = seed

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self._seed.module:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        loader = _Loader(fullname, found.origin, self._seed)
        return importlib.util.spec_from_file_location(fullname, found.origin, loader=loader)


class _Loader(SourceFileLoader):
    def __init__(self, fullname, path, seed):
        super().__init__(fullname, path)
        self._seed = seed

    def get_code(self, fullname):
        source = self.get_data(self.path).decode()
        for old, new in self._seed.edits:
            if source.count(old) != 1:
                raise RuntimeError(f"{self._seed.name}: not once in {fullname}: {old!r}")
            source = source.replace(old, new)
        return compile(source, self.path, "exec")
