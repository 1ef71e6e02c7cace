"""What verbs print of things: docker-like tables, JSON, templates.

A verb that lists things gives `Listing.show` its rows; `--format` then decides what becomes of
them. Rows are two views of the same thing: `fields`, texts for people (`45.2MB`), and `document`,
exact values for programs (`45200000`).
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import Any, Protocol, TypeVar, cast

import click

from killick.cli.printing import write
from killick.cli.template_functions import HEADER_FUNCTIONS, Record, to_json
from killick.cli.templates import Template
from killick.errors import UsageError

NONE = "<none>"

_LEAST_WIDTH = 10
_GAP = 3

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Row(Protocol):
    """One thing in a list."""

    def fields(self) -> Mapping[str, str]:
        """Return the texts for tables and templates, by docker's field names."""
        ...

    def document(self) -> Mapping[str, object]:
        """Return the values for JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Style:
    """How the user wants to see things. `form` is what `--format` said, None for the default."""

    form: str | None = None
    no_trunc: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A kind of list: the headings of all fields, which of them a plain table shows, which `-q`."""

    headings: Mapping[str, str]
    table: Sequence[str]
    quiet: str | None = None

    def show(self, rows: Iterable[Row], style: Style) -> None:
        """Print the rows as `style` says: a table, JSON (an object a line), or by a template.

        Raises:
            UsageError: the template is wrong.
        """
        form = style.form
        if form is None and style.quiet and self.quiet:
            key = self.quiet
            write(row.fields()[key] for row in rows)
        elif form is None or form == "table":
            write(aligned(self._cells(rows)))
        elif form == "json":
            write(to_json(row.document()) for row in rows)
        elif form.startswith("table "):
            write(aligned(_cells_of(self._filled_table(form[6:], rows))))
        else:
            template = parse_template(form, self.headings)
            write(_filled(template, row) for row in rows)

    def _cells(self, rows: Iterable[Row]) -> list[list[str]]:
        table = self.table
        cells = [[self.headings[key] for key in table]]
        for row in rows:
            fields = row.fields()
            cells.append([fields[key] for key in table])
        return cells

    def _filled_table(self, form: str, rows: Iterable[Row]) -> Iterator[str]:
        template = parse_template(form, self.headings)
        heading = template.render(Record(self.headings), HEADER_FUNCTIONS)
        return chain((heading,), (_filled(template, row) for row in rows))


def show_document(document: Mapping[str, object], style: Style, plain: Iterable[str]) -> None:
    """Print one thing: the lines `plain`, or its document as JSON or by a template.

    Raises:
        UsageError: the template is wrong.
    """
    if style.form is None:
        write(plain)
    elif style.form == "json":
        write([to_json(document)])
    else:
        write([parse_template(style.form, document).render(Record(document))])


def fitted(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines broken between words to fit the terminal, if there is one; the rest indented.

    A line end within a line says where it is broken on any terminal, and is a space elsewhere.
    """
    if not sys.stdout.isatty():
        yield from (line.replace("\n", " ") for line in lines)
        return
    width = shutil.get_terminal_size().columns
    for line in (part for whole in lines for part in whole.split("\n")):
        bare = line.lstrip()
        indent = " " * (len(line) - len(bare))
        wrapped = textwrap.wrap(
            bare,
            width,
            initial_indent=indent,
            subsequent_indent=indent + "    ",
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
        yield from wrapped or [""]


def parse_template(form: str, known: Iterable[str]) -> Template:
    r"""Return the template in `form` (with `\t` and `\n` as in docker), its fields among `known`.

    Raises:
        UsageError: it is no template, or looks up something else.
    """
    template = Template(form.replace("\\t", "\t").replace("\\n", "\n"))
    unknown = template.fields.difference(known)
    if unknown:
        raise UsageError(
            f"the --format template can't be filled in: there is no field .{min(unknown)}",
            hint=f"there are {', '.join(f'.{name}' for name in known)}",
        )
    return template


def _filled(template: Template, row: Row) -> str:
    return template.render(Record(row.fields(), row.document))


def _cells_of(texts: Iterable[str]) -> list[list[str]]:
    return [line.split("\t") for text in texts for line in text.split("\n")]


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield one line a row, its cells in columns as docker's: three spaces apart, ten at least."""
    columns = max(map(len, rows), default=0)
    widths = [
        max(_LEAST_WIDTH, _GAP + max(len(row[i]) for row in rows if len(row) > i))
        for i in range(columns - 1)
    ]
    pattern = "".join(f"{{:<{width}}}" for width in widths) + "{}"
    for row in rows:
        if len(row) == columns:
            yield pattern.format(*row)
        else:
            padded = [cell.ljust(widths[i]) for i, cell in enumerate(row[:-1])]
            yield "".join([*padded, *row[-1:]])


def cut(text: str, length: int, style: Style) -> str:
    """Return `text` cut to `length` characters as docker does (`…`), unless `--no-trunc` is on."""
    return text if style.no_trunc or len(text) <= length else text[: length - 1] + "…"


def format_options(
    *flags: str, no_trunc: bool = False, quiet: str | None = None
) -> Callable[[Decorated], Decorated]:
    """Return a decorator for `--format` (or `flags`), `--json`, `--no-trunc` and `-q`.

    The command gets them as one argument, `style`. `quiet` is the help of `-q`.
    """
    options = [
        click.option(
            *(flags or ("--format",)),
            "form",
            metavar="FORMAT",
            help="How to print: json, or a template such as '{{.Digest}}'.",
        ),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
    ]
    if no_trunc:
        options.append(click.option("--no-trunc", is_flag=True, help="Shorten nothing."))
    if quiet is not None:
        options.append(click.option("-q", "--quiet", is_flag=True, help=quiet))

    def decorate(function: Decorated) -> Decorated:
        @wraps(function)
        def styled(
            *positional: Any,  # noqa: ANN401 - whatever the command takes
            form: str | None,
            as_json: bool,
            no_trunc: bool = False,
            quiet: bool = False,
            **named: Any,  # noqa: ANN401 - whatever the command takes
        ) -> int | None:
            if as_json and form not in (None, "", "json"):
                raise UsageError("--json and --format exclude each other")
            style = Style("json" if as_json else form or None, no_trunc, quiet)
            status: int | None = function(*positional, style=style, **named)
            return status

        decorated: Callable[..., Any] = styled
        for option in reversed(options):
            decorated = option(decorated)
        return cast("Decorated", decorated)

    return decorate
