"""Whatever is written after `--format`: it prints something, or it is the user's mistake."""

from hypothesis import given
from hypothesis import strategies as st

from killick.cli.output import Listing, Style
from killick.cli.printing import visible
from killick.cli.template_functions import FUNCTIONS, Record
from killick.cli.templates import Template
from killick.errors import UsageError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
words = st.sampled_from(
    [
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        ".A",
        ".B",
        ".",
        "$",
        "$x",
        ":=",
        "|",
        "(",
        ")",
        ",",
        '"a"',
        "`",
    ]
    + ["if ", "else ", "end", "range ", "with ", "1", "-1.5", "true", "nil", "\\", "/*", "*/", "\n"]
    + [f"{name} " for name in FUNCTIONS]
)
templates = (
    st.text()
    | st.lists(words, max_size=20).map("".join)
    | st.lists(
        st.lists(words, max_size=5).map(lambda some: "{{" + "".join(some) + "}}"), max_size=5
    ).map("".join)
)


@given(templates, json_values, json_values)
def test_any_text_prints_something_or_is_a_usage_error(text, a, b):
    try:
        printed = Template(text).render(Record({"A": a, "B": b}))
    except UsageError:
        return
    assert isinstance(printed, str)


@given(st.text().filter(lambda text: "{{" not in text))
def test_a_text_without_actions_is_printed_as_it_is(text):
    assert Template(text).render({}) == text


@given(st.text())
def test_a_value_is_printed_as_it_is(value):
    assert Template("<{{.A}}>").render(Record({"A": value})) == f"<{value}>"


@given(st.text())
def test_nothing_that_controls_a_terminal_gets_through(text):
    shown = visible(text)
    assert not any((c < " " and c not in "\t\n") or "\x7f" <= c <= "\x9f" for c in shown)
    shown.encode()


class Line:
    def __init__(self, value):
        self.value = value

    def fields(self):
        return {"A": self.value}

    def document(self):
        return {"A": self.value}


@given(templates, st.lists(st.text(max_size=5), max_size=3))
def test_any_format_of_a_list_prints_something_or_is_a_usage_error(text, values):
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(UsageError):
        Listing({"A": "A"}, ("A",)).show(map(Line, values), Style(f"table {text}"))
