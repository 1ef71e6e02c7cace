"""A process that pulls once, and says how much memory it took at most.

python -m hostile.taking DOMAIN      pulls DOMAIN/a/b:1.5 into memory, prints KiB
"""

import resource
import sys
from contextlib import suppress

from hostile.liar import ACCESS, TAG
from killick.client import RemoteRegistry
from killick.errors import KillickError
from killick.memory import MemoryRegistry
from killick.transfer import copy


def main():
    with RemoteRegistry(sys.argv[1], ACCESS) as registry:
        source = registry.repository("a/b")
        with suppress(KillickError):
            copy(source, MemoryRegistry().repository("target"), source.resolve(TAG), TAG)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main()
