"""What the source must not contain, looked for in the source: habits that broke others."""

import ast
from pathlib import Path

import pytest

import killick

SOURCE = Path(killick.__file__).parent
TREES = {path.relative_to(SOURCE): ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}
ON_IMAGE_DATA = ("layout", "store", "tarball.py", "compression.py", "rootfs.py", "transfer.py")


def found(test):
    """Return the places at which `test(node)` holds."""
    return [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if hasattr(node, "lineno") and test(path, node)
    ]


def imports(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def keyword(node, name):
    """Return the value of a keyword in a call, if it is a constant."""
    if isinstance(node, ast.Call):
        for each in node.keywords:
            if each.arg == name and isinstance(each.value, ast.Constant):
                return each.value.value
    return None


def test_tarfile_is_not_used():
    assert not found(lambda _, n: "tarfile" in imports(n))


def test_pickle_and_its_kin_are_not_used():
    unsafe = {"pickle", "marshal", "shelve", "dill", "yaml"}
    assert not found(lambda _, n: unsafe & set(imports(n)))


def test_no_shell_is_started():
    assert not found(lambda _, n: keyword(n, "shell"))
    assert not found(
        lambda _, n: ast.unparse(n) in ("os.system", "os.popen", "subprocess.getoutput")
    )


def test_nothing_is_run_on_the_content_of_images():
    assert not found(lambda path, n: path.parts[0] in ON_IMAGE_DATA and "subprocess" in imports(n))


@pytest.mark.parametrize("name", ["eval", "exec"])
def test_no_text_becomes_code(name):
    assert not found(
        lambda _, n: isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name
    )


def test_certificates_are_not_verified_only_where_a_person_says_so():
    places = found(lambda _, n: isinstance(n, ast.Attribute) and n.attr == "CERT_NONE")
    assert {place.partition(":")[0] for place in places} <= {
        *("client/tls.py", "fleet/engines/kubeconfig.py", "fleet/engines/lines.py"),
    }
    assert not found(lambda _, n: keyword(n, "verify") is False)


def test_access_is_decided_on_the_path_as_it_was_sent():
    """Not on a URL that is put together from the Host header."""
    assert not found(
        lambda path, n: (
            path.parts[0] == "server"
            and isinstance(n, ast.Attribute)
            and n.attr == "path"
            and isinstance(n.value, ast.Attribute)
            and n.value.attr == "url"
        )
    )


def test_no_other_site_is_let_in():
    assert not found(
        lambda _, n: (
            isinstance(n, ast.Constant)
            and isinstance(n.value, str)
            and n.value.lower().startswith("access-control-")
        )
    )
