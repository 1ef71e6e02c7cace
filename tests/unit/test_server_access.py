"""Who may do what over HTTP: a matrix of every endpoint, token services, and no leaks."""

import re
import time
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

import images
from guarding import PASSWORD, World, basic, bearer, rule, shows
from killick.accounts import Policy
from killick.accounts.register import LOOK_AGAIN
from killick.names import Tag
from killick.server import app
from killick.server.app import ENDPOINTS
from killick.server.responses import empty

OWN, OTHER = "team-a/app", "team-b/app"
DIGEST = "sha256:" + "0" * 64
DONE = 299

PATHS = {
    "base": "/v2/",
    "token": "/v2/_killick/token",
    "catalog": "/v2/_catalog",
    "discover": "/v2/{}/_oci/ext/discover",
    "tag-history": "/v2/{}/_oci/tag-history/1",
    "history": "/v2/{}/_killick/history",
    "digests": "/v2/{}/_killick/digests/" + DIGEST,
    "standing": "/v2/{}/_killick/tags",
    "rollback": "/v2/{}/_killick/rollback/1",
    "chain": "/v2/{}/_killick/chain",
    "reports": "/v2/_killick/reports",
    "containers": "/v2/_killick/containers",
    "openapi": "/v2/_killick/openapi.json",
    "chores": "/v2/_killick/chores",
    "chore": "/v2/_killick/chores/collect",
    "tags": "/v2/{}/tags/list",
    "referrers": "/v2/{}/referrers/" + DIGEST,
    "manifest": "/v2/{}/manifests/1",
    "blob": "/v2/{}/blobs/" + DIGEST,
    "uploads": "/v2/{}/blobs/uploads/",
    "upload": "/v2/{}/blobs/uploads/u",
}

# What each caller may do in team-a/**, in team-b/**, and in the registry as a whole; by hand, and
# not by what the server computes.
EVERYTHING = {"pull", "push", "delete", "report", "admin", "list", "login"}
OPENED = {"list", "login"}
RIGHTS = {
    "nobody": (set(), set(), set()),
    "somebody public": ({"pull"}, set(), {"list"}),
    "without rights": (OPENED, OPENED, OPENED),
    "puller": ({"pull", *OPENED}, OPENED, OPENED),
    "pusher": ({"pull", "push", *OPENED}, OPENED, OPENED),
    "deleter": ({"pull", "delete", *OPENED}, OPENED, OPENED),
    "reporter": ({"report", *OPENED}, {"report", *OPENED}, {"report", *OPENED}),
    "admin": (EVERYTHING, EVERYTHING, EVERYTHING),
    "access token to pull": ({"pull", *OPENED}, {"pull", *OPENED}, OPENED),
    "access token elsewhere": (OPENED, {*EVERYTHING}, OPENED),
    "bearer to pull": ({"pull", "login"}, {"login"}, {"login"}),
    "bearer to push": ({"pull", "push", "login"}, {"login"}, {"login"}),
    "bearer to delete": ({"delete", "login"}, {"login"}, {"login"}),
    "bearer elsewhere": (
        {"login"},
        {"pull", "push", "delete", "report", "admin", "login"},
        {"login"},
    ),
    "bearer for the list": ({"login"}, {"login"}, OPENED),
    "bearer for chores": ({"login"}, {"login"}, {"report", "admin", "login"}),
    "bearer for nothing": ({"login"}, {"login"}, {"login"}),
    "bearer of the puller": ({"pull", "login"}, {"login"}, {"login"}),
    "bearer of nobody": ({"login"}, {"login"}, {"login"}),
}
ACCOUNTS = {
    "without rights": "cy",
    "puller": "pat",
    "pusher": "pia",
    "deleter": "del",
    "reporter": "rep",
    "admin": "ana",
}
SCOPES = {
    "bearer to pull": ("ana", f"repository:{OWN}:pull"),
    "bearer to push": ("ana", f"repository:{OWN}:pull,push"),
    "bearer to delete": ("ana", f"repository:{OWN}:delete"),
    "bearer elsewhere": ("ana", f"repository:{OTHER}:*"),
    "bearer for the list": ("ana", "registry:catalog:*"),
    "bearer for chores": ("ana", "registry:killick:*"),
    "bearer for nothing": ("ana", ""),
    "bearer of the puller": ("pat", f"repository:{OWN}:* repository:{OTHER}:*"),
    "bearer of nobody": (None, f"repository:{OTHER}:* registry:killick:*"),
}
RULES = (
    rule("team-a/**", ["pull"], accounts=["pat"]),
    rule("team-a/**", ["pull", "push"], accounts=["pia"]),
    rule("team-a/**", ["pull", "delete"], accounts=["del"]),
    rule("**", ["report"], accounts=["rep"]),
)


def needed(kind, method):
    return ENDPOINTS[kind]["GET" if method == "HEAD" else method].need


def cells():
    for kind, endpoints in ENDPOINTS.items():
        for method in [*endpoints, *(["HEAD"] if "GET" in endpoints else [])]:
            yield kind, method


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Two registries, without and with something public, and what each caller shows there."""
    world = World(tmp_path_factory.mktemp("crowd"), Policy(RULES))
    for name in ACCOUNTS.values():
        world.add(name, is_admin=name == "ana")
    public = World(world.place.root, Policy(RULES, public=("team-a/**",)))
    shown = {"nobody": (world, None), "somebody public": (public, None)}
    shown |= {who: (world, basic(name)) for who, name in ACCOUNTS.items()}
    text, _ = world.token("ana", rights=("pull",))
    shown["access token to pull"] = (world, basic("ana", text))
    text, _ = world.token("ana", repositories=("team-b/**",))
    shown["access token elsewhere"] = (world, basic("ana", text))
    for who, (name, scope) in SCOPES.items():
        place = world if name else public
        shown[who] = (place, bearer(place.client(), name and basic(name), scope))
    return shown


@pytest.fixture
def stubbed(monkeypatch):
    """Endpoints that do nothing, so that what is seen is admission alone."""

    async def done(call):
        return empty(DONE)

    stubs = {
        kind: {method: replace(endpoint, handle=done) for method, endpoint in endpoints.items()}
        for kind, endpoints in ENDPOINTS.items()
    }
    monkeypatch.setattr(app, "ENDPOINTS", stubs)


def test_every_kind_of_path_is_in_the_matrix():
    assert PATHS.keys() == ENDPOINTS.keys(), "a new endpoint: give its path here"


NEEDS = {
    "base": "login",
    "token": None,
    "catalog": "list",
    "discover": None,
    "upload": "push",
    "chores": "admin",
    "chore": "admin",
    "reports": "report",
    "containers": "admin",
    "openapi": None,
}
"""What endpoints need that are no content of a repository; all others by their method."""
BY_METHOD = {"GET": "pull", "HEAD": "pull", "PUT": "push", "POST": "push", "DELETE": "delete"}


@pytest.mark.parametrize("cell", list(cells()), ids="-".join)
def test_an_endpoint_needs_what_its_method_says(cell):
    kind, method = cell
    assert needed(kind, method) == (NEEDS[kind] if kind in NEEDS else BY_METHOD[method])


def test_the_matrix_is_large():
    both = [cell for cell in cells() if "{}" in PATHS[cell[0]]]
    assert len(RIGHTS) * (len(both) * 2 + len(list(cells())) - len(both)) >= 400


@pytest.mark.parametrize("who", RIGHTS)
def test_the_matrix(who, crowd, stubbed):
    world, credentials = crowd[who]
    client = world.client()
    wrong = []
    for kind, method in cells():
        need = needed(kind, method)
        places = ((OWN, 0), (OTHER, 1)) if "{}" in PATHS[kind] else (("", 2),)
        for repository, column in places:
            expected = need is None or need in RIGHTS[who][column]
            answer = client.request(
                method, PATHS[kind].format(repository), headers=shows(credentials)
            )
            got = answer.status_code
            if got != DONE if expected else got not in (401, 403):
                wrong.append((kind, method, repository, need, got))
            if got == 401:
                assert_challenged(answer, kind, need, repository)
    assert not wrong


def assert_challenged(answer, kind, need, repository):
    challenge = answer.headers["www-authenticate"]
    if kind == "token":
        assert challenge.startswith("Basic ")
        return
    assert challenge.startswith(
        'Bearer realm="http://testserver/v2/_killick/token",service="killick"'
    )
    actions = f"pull,{need}" if need == "push" else need
    scope = {"login": "", "list": ',scope="registry:catalog:*"'}.get(
        need, f',scope="repository:{repository}:{actions}"'
    )
    if not repository and need not in ("login", "list"):
        scope = f',scope="registry:killick:{need}"'
    assert challenge.endswith(f'service="killick"{scope}')


@pytest.mark.parametrize(
    "credentials", [basic("ana", "wrong password"), basic("nobody"), "Bearer x.y.z", "Nonsense"]
)
def test_wrong_credentials_get_nowhere_even_where_none_are_needed(crowd, stubbed, credentials):
    world, _ = crowd["somebody public"]
    client = TestClient(world.client().app, client=(f"192.0.2.{len(credentials)}", 1))
    for kind, method in cells():
        if (kind, method) == ("token", "POST"):
            continue
        answer = client.request(method, PATHS[kind].format(OWN), headers=shows(credentials))
        assert answer.status_code in (401, 429), (kind, method)


def fill(world, name):
    repository = world.registry.repository(name)
    d = images.image(repository, {"app": b"one"})
    repository.tag(Tag("1"), d)
    return str(d.digest)


def read(answer, name):
    headers = {k: v for k, v in answer.headers.items() if k not in ("date", "x-request-id")}
    return answer.status_code, str(headers).replace(name, "NAME"), answer.text.replace(name, "NAME")


@pytest.mark.parametrize("who", ["nobody", "puller", "without rights", "bearer to pull"])
def test_what_is_there_looks_like_what_is_not(crowd, who):
    """An answer to who has no rights is the same whether there is such a repository, or not."""
    world, credentials = crowd[who]
    digest = fill(world, "team-b/here")
    client, headers = world.client(), shows(credentials)
    looked = []
    real = world.registry.repository
    world.registry.repository = lambda name: looked.append(name) or real(name)
    try:
        for path in (
            "manifests/1",
            f"manifests/{digest}",
            f"blobs/{digest}",
            "tags/list",
            f"referrers/{digest}",
            "_killick/history",
            "_killick/tags",
        ):
            for method in ("GET", "HEAD"):
                there = client.request(method, f"/v2/team-b/here/{path}", headers=headers)
                nothing = client.request(method, f"/v2/team-b/none/{path}", headers=headers)
                assert there.status_code in (401, 403)
                assert read(there, "team-b/here") == read(nothing, "team-b/none")
    finally:
        del world.registry.repository
    assert looked == [], "nothing is looked up before it is known who asks"


def test_the_catalog_shows_what_may_be_pulled(tmp_path):
    world = World(tmp_path, Policy(RULES, public=("public/**",)))
    for name in ACCOUNTS.values():
        world.add(name, is_admin=name == "ana")
    for name in ("public/x", "team-a/x", "team-b/x"):
        fill(world, name)
    client = world.client()

    def listed(credentials):
        answer = client.get("/v2/_catalog", headers=shows(credentials))
        assert answer.status_code == 200
        return answer.json()["repositories"]

    assert listed(None) == ["public/x"]
    assert listed(basic("ana")) == ["public/x", "team-a/x", "team-b/x"]
    assert listed(basic("pat")) == ["team-a/x"]
    assert listed(basic("cy")) == []
    assert listed(bearer(client, basic("pat"), "registry:catalog:*")) == ["team-a/x"]
    assert listed(bearer(client, None, "registry:catalog:*")) == ["public/x"]


def test_mounting_takes_the_right_to_pull_from_there(tmp_path):
    world = World(tmp_path, Policy(RULES))
    world.add("pia")
    world.add("ana", is_admin=True)
    repository = world.registry.repository("team-b/x")
    blob = images.put(repository, "application/octet-stream", b"secret")
    path = f"/v2/team-a/x/blobs/uploads/?mount={blob.digest}&from=team-b/x"
    nowhere = f"/v2/team-a/x/blobs/uploads/?mount={blob.digest}&from=team-b/none"
    client = world.client()
    refused = client.post(path, headers=shows(basic("pia")))
    missing = client.post(nowhere, headers=shows(basic("pia")))
    assert (refused.status_code, missing.status_code) == (202, 202)
    assert refused.headers.keys() == missing.headers.keys()
    assert client.get(f"/v2/team-a/x/blobs/{blob.digest}", headers=shows(basic("pia"))).is_error
    token = bearer(client, basic("ana"), "repository:team-a/x:pull,push")
    narrow = client.post(path, headers=shows(token))
    assert narrow.status_code == 401  # another token would do
    assert "repository:team-b/x:pull" in narrow.headers["www-authenticate"]
    useless = bearer(client, basic("pia"), "repository:team-a/x:pull,push")
    assert client.post(path, headers=shows(useless)).status_code == 202
    both = bearer(client, basic("ana"), "repository:team-a/x:push", "repository:team-b/x:pull")
    assert client.post(path, headers=shows(both)).status_code == 201


# The token service


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.add("ana", is_admin=True)
    world.add("ben")
    return world


def form(**fields):
    return {"grant_type": "password", "service": "killick", "client_id": "docker"} | fields


def test_a_token_is_what_was_asked_for_and_may_be_had(world):
    client = world.client()
    asked = {"scope": ["repository:a:pull,push,delete", "repository:b:admin"]}
    answer = client.get("/v2/_killick/token", params=asked, headers=shows(basic("ben")))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    value = answer.json()
    assert value["scope"] == "repository:a:pull,push"
    assert value["expires_in"] == 300
    assert value["token"] == value["access_token"]
    assert "refresh_token" not in value


def test_anonymous_tokens_only_where_something_is_public(tmp_path, world):
    answer = world.client().get("/v2/_killick/token?scope=repository:a:pull")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    public = World(tmp_path, Policy(public=("a",))).client()
    token = bearer(public, None, "repository:a:pull,push repository:b:pull")
    assert public.get("/v2/a/manifests/1", headers=shows(token)).status_code == 404
    assert public.get("/v2/", headers=shows(token)).status_code == 200
    for path in ("/v2/b/manifests/1",):
        assert public.get(path, headers=shows(token)).status_code == 401
    assert public.post("/v2/a/blobs/uploads/", headers=shows(token)).status_code == 401


def test_a_bearer_token_gets_no_other(world):
    client = world.client()
    token = bearer(client, basic("ana"), "repository:a:pull")
    assert client.get("/v2/_killick/token", headers=shows(token)).status_code == 401


def test_the_password_grant_and_the_refresh_grant(world):
    client = world.client()
    path, scope = "/v2/_killick/token", "repository:a:pull"
    fields = form(username="ben", password=PASSWORD, scope=scope, access_type="offline")
    first = client.post(path, data=fields).json()
    assert first["scope"] == scope
    refresh = form(grant_type="refresh_token", refresh_token=first["refresh_token"])
    again = client.post(path, data=refresh | {"scope": "repository:b:push"})
    assert again.status_code == 200
    assert again.json()["scope"] == "repository:b:push"
    assert again.json()["refresh_token"] == first["refresh_token"]
    token = f"Bearer {again.json()['access_token']}"
    assert client.post("/v2/b/blobs/uploads/", headers=shows(token)).status_code == 202
    for misused in (f"Bearer {first['refresh_token']}", basic("ben", first["refresh_token"][:70])):
        assert client.get("/v2/", headers=shows(misused)).status_code == 401
    world.change("ben", stamp="another")
    assert client.post(path, data=refresh).status_code == 401


def test_a_refresh_token_by_get(world):
    client = world.client()
    path = "/v2/_killick/token?offline_token=true&account=ana&client_id=docker&service=killick"
    found = client.get(path, headers=shows(basic("ana"))).json()["refresh_token"]
    fields = form(grant_type="refresh_token", refresh_token=found, scope="repository:a:delete")
    assert client.post("/v2/_killick/token", data=fields).json()["scope"] == "repository:a:delete"


def test_a_refresh_token_got_by_an_access_token_has_its_rights_and_ends_with_it(world):
    client = world.client()
    text, token_id = world.token("ana", rights=("pull",))
    fields = form(username="ana", password=text, access_type="offline")
    found = client.post("/v2/_killick/token", data=fields).json()["refresh_token"]
    fields = form(grant_type="refresh_token", refresh_token=found, scope="repository:a:*")
    answer = client.post("/v2/_killick/token", data=fields)
    assert answer.json()["scope"] == "repository:a:pull"
    world.take_back(token_id)
    assert client.post("/v2/_killick/token", data=fields).status_code == 401


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (form(username="ben", password="wrong password"), 401),
        (form(username="nobody", password=PASSWORD), 401),
        (form(username="ben"), 400),
        (form(grant_type="refresh_token", refresh_token="x"), 401),
        (form(grant_type="refresh_token", refresh_token=""), 401),
        (form(grant_type="client_credentials"), 400),
        (form(grant_type="password", grant="x"), 400),
        ({}, 400),
    ],
)
def test_wrong_forms(world, data, status):
    answer = world.client().post("/v2/_killick/token", data=data)
    assert answer.status_code == status
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=password&username=ben&username=ana&password=" + PASSWORD.encode(),
        b"grant_type=password&" + b"&".join(b"f%d=" % n for n in range(100)),
        b"\xff=\xff",
        b"grant_type=password&username=%ff&password=%ff",
        b'{"grant_type": "password"}',
    ],
)
def test_what_is_no_form(world, body):
    assert world.client().post("/v2/_killick/token", content=body).status_code == 400


def test_a_long_form_is_not_read(world):
    assert world.client().post("/v2/_killick/token", content=b"a" * 70_000).status_code == 413


def test_fields_that_nobody_asked_for_give_nothing(world):
    fields = form(
        username="ben",
        password=PASSWORD,
        scope="repository:a:delete registry:killick:admin",
        admin="true",
        is_admin="true",
        account="ana",
        sub="ana",
        access="*",
        rights="delete",
        role="admin",
    )
    value = world.client().post("/v2/_killick/token", data=fields).json()
    assert value["scope"] == ""


def test_a_registry_without_accounts_has_no_token_service(tmp_path):
    client = TestClient(app.application(World(tmp_path).registry))
    assert client.get("/v2/_killick/token").status_code == 404
    assert client.post("/v2/_killick/token", data=form()).status_code == 404


# Where the token service is said to be


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("registry.example", "http://registry.example/v2/_killick/token"),
        ("registry.example:5000", "http://registry.example:5000/v2/_killick/token"),
        ("[::1]:5000", "http://[::1]:5000/v2/_killick/token"),
        ('evil"/x', None),
        ("a b", None),
        ("user@host", None),
        ("host/path", None),
        ("host?x", None),
        ("", None),
    ],
)
def test_the_realm_is_where_the_caller_came_to(world, host, realm):
    answer = world.client().get("/v2/", headers={"Host": host})
    challenge = answer.headers["www-authenticate"]
    if realm is None:
        assert challenge == 'Basic realm="killick",charset="UTF-8"'
    else:
        assert challenge.startswith(f'Bearer realm="{realm}",')


def test_the_realm_is_what_is_configured(world):
    client = world.client(public_url="https://registry.example")
    challenge = client.get("/v2/", headers={"Host": "evil.example"}).headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="https://registry.example/v2/_killick/token"')


# What is told, and what is not


def test_an_address_that_has_to_wait_is_told_how_long(world):
    client = world.client()
    for _ in range(5):
        answer = client.get("/v2/", headers=shows(basic("ben", "wrong password")))
        assert answer.status_code == 401
    for answer in (
        client.get("/v2/", headers=shows(basic("ben"))),
        client.post("/v2/_killick/token", data=form(username="ben", password=PASSWORD)),
    ):
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
    elsewhere = TestClient(client.app, client=("198.51.100.7", 1))
    assert elsewhere.get("/v2/", headers=shows(basic("ben"))).status_code == 200


def test_the_audit_log_tells_what_was_done(world):
    client, headers = world.client(), shows(basic("ana"))
    digest = fill(world, "app")
    raw = client.get(f"/v2/app/manifests/{digest}", headers=headers)
    content = {"Content-Type": raw.headers["content-type"]}
    client.put("/v2/app/manifests/2", content=raw.content, headers=headers | content)
    client.delete("/v2/app/manifests/2", headers=headers)
    client.post("/v2/app/_killick/rollback/2", headers=headers, json={"digest": digest})
    client.delete(f"/v2/app/manifests/{digest}", headers=headers)
    client.delete("/v2/app/manifests/1", headers=shows(basic("ben")))
    told = [
        (e["event"], e["actor"], e.get("tag"), e.get("how"), e.get("before"), e.get("after"))
        for e in world.log
        if e["event"] != "login"
    ]
    assert told == [
        ("tag-moved", "ana", "2", "pushed", None, digest),
        ("tag-moved", "ana", "2", "deleted", digest, None),
        ("tag-moved", "ana", "2", "rolled-back", None, digest),
        ("manifest-deleted", "ana", None, None, None, None),
        ("refused", "ben", None, None, None, None),
    ]
    assert world.events("manifest-deleted")[0]["digest"] == digest
    assert world.events("refused")[0]["need"] == "delete"
    assert {e["from"] for e in world.log} == {"testclient"}
    assert len({e["request"] for e in world.log if e["event"] == "tag-moved"} - {None}) == 3
    assert {e["repository"] for e in world.log if e["event"] != "login"} == {"app"}


def test_secrets_are_in_no_answer_and_no_log(world, caplog, capfd):
    """Canaries in every place where a secret can stand; none comes out anywhere."""
    client = world.client()
    text, _ = world.token("ana")
    canaries = [PASSWORD, "canary-wrong-password", text, "canary-name", "canary-bearer.x.y"]
    fields = form(username="ana", password=PASSWORD, access_type="offline")
    given = client.post("/v2/_killick/token", data=fields).json()
    canaries += [given["refresh_token"], given["token"]]
    answers = []
    for credentials in (
        basic("ana"),
        basic("ana", text),
        basic("ana", "canary-wrong-password"),
        basic("canary-name", PASSWORD),
        "Bearer canary-bearer.x.y",
        f"Bearer {given['token']}",
        f"Bearer {given['refresh_token']}",
    ):
        canaries.append(credentials.partition(" ")[2])
        for path in ("/v2/", "/v2/a/manifests/1", "/v2/nonsense", "/v2/a/blobs/x"):
            answers.append(client.get(path, headers=shows(credentials)))
    world.place.accounts.write_text("{" + PASSWORD)
    time.sleep(LOOK_AGAIN)
    answers.append(client.get("/v2/", headers=shows(basic("ana"))))
    assert answers[-1].status_code == 500
    seen = "".join(a.text + str(a.headers) for a in answers) + str(world.log) + caplog.text
    seen += "".join(capfd.readouterr())
    assert not [canary for canary in canaries if canary in seen]


def test_a_crash_shows_no_secret(world, monkeypatch):
    """Not in a traceback either, with what Python adds to it."""
    import traceback

    import bcrypt

    def broken(password, stored):
        raise RuntimeError("broken")

    monkeypatch.setattr(bcrypt, "checkpw", broken)
    with pytest.raises(RuntimeError) as caught:
        world.client().get("/v2/", headers=shows(basic("ana")))
    text = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in text
    assert basic("ana")[6:] not in text


def test_digests_and_reprs_of_accounts_show_no_secret(world):
    world.token("ana")
    shown = repr(world.register.read())
    assert "$2b$" not in shown
    assert not re.search(r"[0-9a-f]{64}", shown)
