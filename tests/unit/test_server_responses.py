import json
import logging

import pytest
from starlette.testclient import TestClient

import images
from killick import errors
from killick.digest import Digest
from killick.memory import MemoryRegistry
from killick.server import OPEN, application
from killick.server.responses import error_answer


def told(error):
    answer = error_answer(error)
    return answer.status_code, json.loads(answer.body)["errors"][0]


def test_hint_goes_along():
    error = errors.Unsupported("not here", hint="go there")
    assert told(error) == (
        405,
        {"code": "UNSUPPORTED", "message": "not here", "detail": {"hint": "go there"}},
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [(errors.StoreFull, 507), (errors.StoreReadOnly, 403), (errors.StoreDamaged, 500)],
)
def test_troubles_of_the_store_are_logged_and_name_no_files(error, status, caplog):
    with caplog.at_level(logging.ERROR):
        answered, entry = told(error("/srv/secret/place is bad", hint="look in /srv/secret"))
    assert answered == status
    assert "secret" not in json.dumps(entry)
    assert "/srv/secret/place is bad" in caplog.text


def test_a_login_that_the_server_lacks_is_not_asked_of_the_caller():
    assert told(errors.Unauthorized("no", side="remote"))[0] == 403
    assert told(errors.Unauthorized("no"))[0] == 401


def test_damage_is_the_fault_of_the_registry():
    registry = MemoryRegistry()
    repository = registry.repository("a")
    d = images.image(repository)
    document = repository._documents[d.digest]
    object.__setattr__(document, "raw", document.raw[:-1] + b" ")
    answer = TestClient(application(registry, OPEN)).get(f"/v2/a/manifests/{d.digest}")
    assert answer.status_code == 500
    assert str(Digest.of(b"")) not in answer.text


class BrokenRegistry(MemoryRegistry):
    def repositories(self, after="", /):
        raise ZeroDivisionError


def test_a_defect_is_answered_and_raised():
    client = TestClient(application(BrokenRegistry()), raise_server_exceptions=False)
    answer = client.get("/v2/_catalog")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, "UNKNOWN")
    with pytest.raises(ZeroDivisionError):
        TestClient(application(BrokenRegistry())).get("/v2/_catalog")
