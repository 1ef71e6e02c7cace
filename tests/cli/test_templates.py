"""`--format` templates.

The table of what is printed was compared with docker 28's `context inspect -f` over the same data
(but for Labels, which a context has not).
"""

import pytest

from killick.cli.template_functions import HEADER_FUNCTIONS, Record
from killick.cli.templates import Template
from killick.errors import UsageError

DATA = Record(
    {
        "Name": "default",
        "Labels": {},
        "Endpoints": {
            "docker": Record({"Host": "unix:///run/docker.sock", "SkipTLSVerify": False})
        },
        "TLSMaterial": {},
    }
)


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{.Name}}:{{ .Name }}", "default:default"),
        ("{{.Endpoints.docker.Host}}", "unix:///run/docker.sock"),
        ('{{(index .Endpoints "docker").Host}}', "unix:///run/docker.sock"),
        ("{{.Endpoints.docker.SkipTLSVerify}}", "false"),
        ("{{.Labels}} {{.Labels.nothing}}", "map[] <no value>"),
        ("{{len .Endpoints}} {{len .Name}}", "1 7"),
        ('{{len "é"}}', "2"),
        (
            "{{range $k, $v := .Endpoints}}{{$k}}={{$v.Host}}{{end}}",
            "docker=unix:///run/docker.sock",
        ),
        ('{{range split .Name "a"}}<{{.}}>{{else}}none{{end}}', "<def><ult>"),
        ('{{range split "" ""}}z{{else}}none{{end}}', "none"),
        (
            '{{range $i, $e := split .Name "a"}}{{$i}}{{$.Name}}{{$e}}{{end}}',
            "0defaultdef1defaultult",
        ),
        ('{{range $y := split .Name "a"}}{{$y}},{{end}}', "def,ult,"),
        ("{{range .Labels}}x{{else}}none{{end}}", "none"),
        ("{{with .Name}}{{.}}{{end}}", "default"),
        ("{{with .TLSMaterial}}a{{else}}b{{end}}", "b"),
        ("{{with .TLSMaterial}}a{{else with .Name}}c{{.}}{{end}}", "cdefault"),
        ("{{with $y := .Name}}{{$y}}{{.}}{{end}}", "defaultdefault"),
        ("{{if $y := .Name}}{{$y}}{{end}}", "default"),
        ("{{if .TLSMaterial}}{{else}}q{{end}}", "q"),
        ('{{if and .Name (eq .Name "default" "x")}}yes{{else if true}}no{{end}}', "yes"),
        ('{{if eq .Name "x"}}a{{else if eq .Name "y"}}b{{else}}c{{end}}', "c"),
        ("{{if not .TLSMaterial}}empty{{end}}", "empty"),
        ('{{lt 1 2}} {{gt "b" "a"}} {{ne 1 2}} {{le 2 2}} {{ge 1 2}}', "true true true true false"),
        ('{{or "" "b"}} {{and 1 0}} {{1.5}} {{true}} {{-3}}', "b 0 1.5 true -3"),
        ("{{truncate .Name 3}}|{{pad .Name 1 2}}|", "def| default  |"),
        ('{{join (split .Name "a") "+"}} {{split .Name "a"}}', "def+ult [def ult]"),
        (
            '{{title "foo bar_baz o\'x"}} {{lower "ABC"}} {{upper .Name}}',
            "Foo Bar_baz O'X abc DEFAULT",
        ),
        ('{{printf "%5d|%-5s|%q|%x|%05d|%%" 3 "ab" "x" 255 42}}', '    3|ab   |"x"|ff|00042|%'),
        ('{{.Name | upper | printf "%s-%s" "q"}}', "q-DEFAULT"),
        ("{{ .Name | len | eq 7 }}", "true"),
        ('{{print 1 2 "a" "b" true}}', "1 2abtrue"),
        ('{{println 1 "a" true}}x', "1 a true\nx"),
        ('{{slice "abc" 1}} {{slice .Name 0 3}}', "bc def"),
        ('{{json .Labels}} {{json "é"}} {{json .Name}}', '{} "é" "default"'),
        ("{{$x := .Name}}{{$x}} {{$.Name}}", "default default"),
        ('a {{- "b" -}} c', "abc"),
        ("{{/* c */}}d {{- /* c */ -}} e", "de"),
        ("{{- 3}} {{3 -}} \n x", "3 3x"),
        ('{{"a\\tb"}}{{`r\\t`}}{{"}}"}}', "a\tbr\\t}}"),
        ("}}{", "}}{"),
    ],
)
def test_a_template_prints_what_docker_prints(template, printed):
    assert Template(template).render(DATA) == printed


@pytest.mark.parametrize(
    "template",
    [
        "{{.Name",
        "{{",
        "{{}}",
        "{{ | .Name}}",
        "{{.Name | }}",
        "{{.Name .Name}}",
        "{{.Name.}}",
        "{{..}}",
        '{{"open}}',
        "{{end}}",
        "{{else}}",
        "{{if .Name}}",
        "{{if}}x{{end}}",
        "{{if .Name}}a{{else}}b{{else}}c{{end}}",
        "{{range .Name}}{{.}}{{end}}",
        "{{(.Name}}",
        "{{.Name)}}",
        "{{$q}}",
        "{{$a, $b := .Name}}",
        "{{nope .Name}}",
        "{{define `x`}}{{end}}",
        "{{len}}",
        "{{len 3}}",
        "{{upper 3}}",
        "{{index .Name 1}}",
        '{{index (split .Name "a") 2}}',
        "{{.Name.Sub}}",
        "{{.Endpoints.docker.Port}}",
        '{{printf "%d" "x"}}',
        '{{printf "%s"}}',
        '{{printf "%n" 1}}',
        '{{printf "x" 1}}',
        '{{truncate .Name "x"}}',
        "{{99999999999999999999}}",
        "{{" + "(" * 100,
        "{{if 1}}" * 100,
        "x" * 100_000,
    ],
)
def test_a_template_that_makes_no_sense_is_the_users_mistake(template):
    with pytest.raises(UsageError):
        Template(template).render(DATA)


def test_an_unknown_field_is_named_together_with_those_that_exist():
    with pytest.raises(UsageError) as caught:
        Template("{{.Nmae}}").render(DATA)
    assert ".Nmae" in caught.value.message
    assert ".Name" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "template",
    [
        "{{.__class__}}",
        "{{.Name.__class__.__mro__}}",
        '{{index . "__init__"}}',
        "{{.keys}}",
        "{{.Name.upper}}",
        "{{json.dumps 1}}",
        "{{__import__ `os`}}",
    ],
)
def test_nothing_of_python_can_be_reached(template):
    try:
        printed = Template(template).render(DATA)
    except UsageError:
        return
    assert printed == "<no value>"


def test_a_template_knows_the_fields_that_it_needs():
    fields = Template("{{.A}}{{if .B}}{{.C.D}}{{end}}{{range .E}}{{.F}}{{end}}").fields
    assert fields == {"A", "B", "C", "E"}


def test_the_whole_of_a_record_is_its_document():
    record = Record({"Size": "45.2MB"}, lambda: {"Size": 45_200_000})
    assert Template("{{json .}} {{.Size}}").render(record) == '{"Size":45200000} 45.2MB'


def test_headings_are_shown_as_they_are():
    template = Template("{{.ID | lower}} {{json .ID}} {{truncate .ID 2}}")
    assert template.render(Record({"ID": "IMAGE ID"}), HEADER_FUNCTIONS) == " ".join(
        ["IMAGE ID"] * 3
    )
