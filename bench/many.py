"""A registry with very many repositories and tags, made through the store's own functions.

    .venv/bin/python bench/many.py FOLDER 10000 100     # so many repositories, tags in each

The images are put as any are; then each repository is given one of them, as by a mount, and its
tags are moved by the ledger, whose chains are therefore right (`killick verify` looks at them).
Only the number of moves in one transaction is another than in life.
"""

import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import images
from killick.manifest import OCI_MANIFEST, Descriptor
from killick.names import Tag
from killick.repository import Cause
from killick.store import Store, ledger
from killick.store.commit import repository_id

SOURCE = "base/images"
IMAGES = 500
AT_ONCE = 200
PUSHED = Cause("pushed", "bench@here")

_ADOPT = """
INSERT INTO member (repository, digest, document, media_type, arrived)
SELECT :home, digest, document, media_type, arrived FROM member
WHERE repository = :source AND digest IN (
    SELECT :digest UNION SELECT child FROM edge WHERE parent = :digest)
"""


def name(number: int) -> str:
    return f"team-{number % 100:02}/app-{number:05}"


def tag(number: int) -> str:
    return f"v{number // 10}.{number % 10}"


def make(root: Path, repositories: int, tags: int, cache: Path) -> None:
    """Makes the registry in the folder `root`, unless it is there."""
    if (root / "made").exists():
        return
    with Store(root, actor="bench", retention=None) as store:
        found = list(_images(store, cache, min(IMAGES, repositories)))
        for start in range(0, repositories, AT_ONCE):
            _fill(store, found, range(start, min(start + AT_ONCE, repositories)), tags)
    (root / "made").touch()


def _images(store: Store, cache: Path, count: int) -> Iterator[Descriptor]:
    """Puts images that differ in their manifests, in a repository of their own."""
    repository = store.repository(SOURCE)
    folder = images.layout(images.Shape(1, 2048), cache)
    manifest, needed = images.manifest_of(folder)
    for each in needed:
        with (folder / "blobs" / each["digest"].replace(":", "/")).open("rb") as blob:
            repository.put(Descriptor.from_json(each), blob)
    for number in range(count):
        content = manifest + b" " * number
        d = Descriptor.of(OCI_MANIFEST, content)
        repository.put(d, BytesIO(content))
        repository.move(Tag(f"i{number}"), d, PUSHED)
        yield d


def _fill(store: Store, found: list[Descriptor], numbers: range, tags: int) -> None:
    context = store._context
    with context.database.writing() as connection:
        source = repository_id(connection, SOURCE)
        for number in numbers:
            d, home = found[number % len(found)], repository_id(connection, name(number))
            where = {"home": home, "source": source, "digest": str(d.digest)}
            connection.execute(_ADOPT, where)
            for each in range(tags):
                wish = ledger.Wish(Tag(tag(each)), d, PUSHED)
                ledger.append(connection, home, name(number), context, wish, d, None)


def main() -> int:
    root, repositories, tags = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    start = time.perf_counter()
    make(root, repositories, tags, root.parent / "cache")
    print(f"{repositories * tags} tags in {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
