"""The API of the service: who asks, what is refused and how, and acts as files."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
import urllib3

from ishtar.attributes import edit, read_edits
from ishtar.workspace import Workspace
from runner.acts import DONE, WAITING, Act, Outcome, find, finish, new_act, read, submit, waiting
from runner.publish import publish
from runner.publish.source import WorkspaceSource
from runner.scheduling.coordinator import Coordinator
from runner.serve.guards import MOST_BODY
from runner.serve.site_app import workspace_app
from runner.serve.tokens import TokenError, add_token, read_tokens, revoke_token, token_of
from runner.service.reruns import Reruns
from runner.service.take_acts import take_act
from runner.settings.serving import ServeSettings
from tests.library_fakes import FIRST, MOVED
from tests.remote_fakes import serving_app

pytestmark = pytest.mark.whole

JSON = {"Content-Type": "application/json"}
ATTRIBUTES = f"shots/{FIRST}/attributes"
GAS = json.dumps({"changes": {"gas": "He"}, "why": "wrong bottle"})


@pytest.fixture(scope="module")
def stored(stored_workspace, tmp_path_factory) -> Workspace:
    """A workspace with a catalogue and a site."""
    root = tmp_path_factory.mktemp("served") / "ws"
    workspace = Workspace.at(shutil.copytree(stored_workspace.root, root))
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
        publish(source, workspace.site, traces=False)
    return workspace


@pytest.fixture
def workspace(stored, tmp_path) -> Workspace:
    return Workspace.at(shutil.copytree(stored.root, tmp_path / "ws", symlinks=True))


Ask = Callable[..., Any]


@contextmanager
def asking(workspace: Workspace, settings: ServeSettings, below: str = "") -> Iterator[Ask]:
    """Serve a workspace; yield a function that asks its API."""
    app = workspace_app(workspace, settings)
    with serving_app(app, below) as address, urllib3.PoolManager() as pool:

        def ask(path: str, body: Any = None, method: str = "", **how: Any) -> Any:
            headers = how.pop("headers", {}) | (JSON if body is not None else {})
            base = address if path.startswith("/") else f"{address}/api/v1/"
            method = method or ("POST" if body is not None else "GET")
            return pool.request(method, base + path, body=body, headers=headers, **how)

        yield ask


@pytest.fixture(scope="module")
def ask_stored(stored) -> Iterator[Ask]:
    """Ask a service of the workspace that tests share: for what is refused."""
    with asking(stored, ServeSettings()) as found:
        yield found


@pytest.fixture
def ask(workspace) -> Iterator[Ask]:
    """Ask a service that is open to this machine."""
    with asking(workspace, ServeSettings()) as found:
        yield found


def problem(answer: Any, status: int) -> dict[str, Any]:
    """Return the problem document of an answer."""
    assert answer.status == status, answer.data
    assert answer.headers["Content-Type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert "\n" not in found["detail"]
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- reading -------------------------------------------------------------------------------------


def test_shots_are_found_by_queries_and_read_with_their_corrections(ask, workspace):
    assert ask("shots").json() == {"shots": [FIRST, MOVED, MOVED + 1], "more": False}
    assert ask("shots?limit=1").json() == {"shots": [FIRST], "more": True}
    assert ask("shots", fields={"q": "gas = Xe"}).json()["shots"] == []
    before = ask(f"shots/{FIRST}").json()
    edit(workspace.shot_folder(FIRST), {"gas": "He"}, who="anna", why="wrong bottle")
    answer = ask(f"shots/{FIRST}")
    after = answer.json()
    assert (before["attributes"]["gas"], after["attributes"]["gas"]) == ("Ar", "He")
    [made] = after["edits"]
    assert (made["who"], made["why"]) == ("anna", "wrong bottle")
    assert made["changes"] == {"gas": {"before": "Ar", "after": "He"}}
    assert before["version"] != after["version"]
    assert answer.headers["ETag"] == f'"{after["version"]}"'


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("shots?q=gas+%3D", 422, "needs a value"),
        ("shots?limit=0", 422, "limit"),
        ("shots?limit=x", 422, "limit"),
        (f"shots?q={'a' * 3000}", 422, "q: "),
        ("shots/99", 404, "no shot 99"),
        ("shots/-1", 422, "shot"),
        ("shots/99999999999999999999", 422, "shot"),
        ("shots/seven", 422, "shot"),
        ("acts/0123", 404, "no act"),
        ("acts/..%2f..%2fishtar", 404, "openapi.json"),
        ("nothing", 404, "openapi.json"),
    ],
)
def test_a_wrong_question_is_answered_with_what_to_do(ask_stored, path, status, said):
    assert said in problem(ask_stored(path), status)["detail"]


def test_every_endpoint_is_in_the_openapi_document(ask):
    document = ask("openapi.json").json()
    assert set(document["paths"]) == {
        *("/me", "/shots", "/shots/{shot}", "/shots/{shot}/attributes", "/acts/{name}"),
        *("/templates", "/templates/{name}", "/reruns", "/sign-in"),
    }
    described = [op["description"] for path in document["paths"].values() for op in path.values()]
    assert all(described)
    assert problem(ask("shots", method="PUT"), 405)


def test_the_site_is_served_beside_the_api(ask):
    assert b"<html" in ask("/index.html").data
    assert ask("/nothing.html").status == 404
    assert ask("/../ishtar.toml").status == 404


# --- acts ----------------------------------------------------------------------------------------


def done(workspace: Workspace) -> list[int]:
    """Let a coordinator do what waits; return the shots that changed."""
    with Coordinator(workspace) as coordinator, closing(Reruns(coordinator)) as reruns:
        return [n for path in waiting(workspace) for n in take_act(coordinator, path, reruns)]


def test_a_correction_waits_for_the_coordinator_and_is_recorded(ask, workspace):
    answer = ask(ATTRIBUTES, GAS)
    act = answer.json()
    assert (answer.status, act["state"], act["kind"]) == (202, WAITING, "attributes")
    assert act["service"]["state"] == "idle"
    assert ask(f"shots/{FIRST}").json()["attributes"]["gas"] == "Ar"
    assert done(workspace) == [FIRST]
    found = ask(f"acts/{answer.headers['Location'].rpartition('/')[2]}").json()
    assert (found["state"], found["result"], found["service"]) == (
        DONE,
        {"gas": ["Ar", "He"]},
        None,
    )
    [made] = ask(f"shots/{FIRST}").json()["edits"]
    assert (made["who"], made["why"]) == (act["who"], "wrong bottle")
    with Coordinator(workspace) as coordinator:
        assert coordinator.catalogue.attributes(FIRST)["gas"] == "He"


def test_the_same_key_is_the_same_act_however_often_it_is_sent(ask, workspace):
    key = {"Idempotency-Key": "bottle-1"}
    first = ask(ATTRIBUTES, GAS, headers=key).json()
    again = ask(ATTRIBUTES, GAS, headers=key).json()
    assert first["id"] == again["id"]
    assert len(waiting(workspace)) == 1
    done(workspace)
    assert ask(ATTRIBUTES, GAS, headers=key).json()["state"] == DONE
    other = json.dumps({"changes": {"gas": "Ne"}})
    assert "another act" in problem(ask(ATTRIBUTES, other, headers=key), 422)["detail"]
    assert done(workspace) == []


def test_of_two_people_at_once_the_second_is_told(ask, workspace):
    version = ask(f"shots/{FIRST}").json()["version"]
    correction = {"changes": {"gas": "He"}, "version": version}
    one = ask(ATTRIBUTES, json.dumps(correction)).json()
    two = ask(ATTRIBUTES, json.dumps(correction | {"changes": {"gas": "Ne"}})).json()
    done(workspace)
    states = {a["id"]: ask(f"acts/{a['id']}").json() for a in (one, two)}
    assert states[one["id"]]["state"] == DONE
    assert states[two["id"]]["state"] == "refused"
    assert "in the meantime" in states[two["id"]]["detail"]
    assert ask(f"shots/{FIRST}").json()["attributes"]["gas"] == "He"
    late = problem(ask(ATTRIBUTES, json.dumps(correction)), 409)
    assert late["version"] == ask(f"shots/{FIRST}").json()["version"]


def test_a_client_that_sends_nothing_more_is_answered_after_a_while(workspace, monkeypatch):
    monkeypatch.setattr("runner.serve.guards.SLOWEST_BODY_S", 0.05)
    head = f"POST /api/v1/{ATTRIBUTES} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{{"
    with serving_app(workspace_app(workspace, ServeSettings())) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), 30) as connection:
            connection.sendall(head.encode())
            assert b" 408 " in connection.recv(4096)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"changes": {"gass": "He"}}', "did you mean 'gas'"),
        ('{"changes": {"date": "yesterday"}}', "2026-11-22T10:30:00"),
        ('{"changes": {}}', "changes"),
        ('{"changes": {"gas": ["He"]}}', "gas"),
        ('{"changes": {"gas": "He"}, "who": "somebody else"}', "who"),
        ('{"changes": {"gas": NaN}}', "gas"),
        ('{"changes": {"gas": "\\ud800"}}', "gas"),
        ('{"changes"', "body"),
        ("[]", "body"),
        (b"\xff\xfe", "body"),
        ('{"changes": {"gas": "' + "x" * 20_000 + '"}}', "characters"),
    ],
)
def test_a_wrong_correction_is_refused_at_once(ask_stored, stored, body, said):
    found = problem(ask_stored(ATTRIBUTES, body), 422)
    assert said in found["detail"]
    assert waiting(stored) == []


def test_a_form_of_another_page_is_no_correction(ask, workspace):
    forged = [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ]
    for headers in forged:
        assert "another site" in problem(ask(ATTRIBUTES, GAS, headers=headers), 403)["detail"]
    plain = {"Content-Type": "text/plain"}  # what a form of another page can send
    answer = ask(ATTRIBUTES, method="POST", fields={"changes": "x"}, headers=plain)
    assert problem(answer, 422)
    assert waiting(workspace) == []


def test_a_body_that_is_too_long_is_refused_whether_it_says_so_or_not(ask):
    long = b'{"changes": {"gas": "' + b"x" * MOST_BODY
    assert problem(ask(ATTRIBUTES, long), 413)
    pieces = iter([long[:1000], long])
    answer = ask(ATTRIBUTES, pieces, chunked=True)
    assert problem(answer, 413)


def test_a_page_whose_name_points_here_is_not_on_this_machine(ask):
    assert ask("me").json()["role"] == "operator"
    assert problem(ask("me", headers={"Host": "elsewhere.example"}), 401)
    assert ask("me", headers={"Host": "localhost:1234"}).status == 200


RERUN = {"template": "doubled", "subject": str(FIRST), "parameters": {"gain": 2.0}}


@pytest.fixture(scope="module")
def doubled(stored) -> None:
    """A template with a parameter of every kind."""
    parameters = (
        "shot: int = 1\n"
        "gain: float = 1.0  # [V/A] of the probe, 0 .. 10\n"
        "way: Literal['up', 'down'] = 'up'  # which ramps\n"
        "end: float | None = None  # [s] of the window"
    )
    cells = [
        nbformat.v4.new_markdown_cell("# Doubled"),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("2 * gain"),
    ]
    path = stored.templates / "doubled.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.mark.usefixtures("doubled")
def test_a_template_says_what_its_parameters_are(ask):
    assert "doubled" in [t["name"] for t in ask("templates").json()]
    found = ask("templates/doubled").json()
    gain, way, end = found["parameters"]  # the shot is the subject
    assert (found["title"], found["scope"]) == ("Doubled", "shot")
    assert (gain["default"], gain["low"], gain["high"], gain["unit"]) == (1.0, 0.0, 10.0, "V/A")
    assert gain["meaning"] == "of the probe"
    assert way["choices"] == ["up", "down"]
    assert end["kinds"] == ["float", "None"]
    assert "did you mean 'doubled'" in problem(ask("templates/doublet"), 404)["detail"]


@pytest.mark.usefixtures("doubled")
def test_a_report_with_other_parameters_is_asked_for(workspace, ask):
    key = {"Idempotency-Key": "one"}
    assert ask("reruns", json.dumps(RERUN), headers=key).json()["state"] == WAITING
    assert "another act" in problem(ask(ATTRIBUTES, GAS, headers=key), 422)["detail"]
    waiting(workspace)[0].unlink()
    answer = ask("reruns", json.dumps(RERUN))
    assert (answer.status, answer.json()["state"]) == (202, WAITING)
    assert answer.headers["Location"] == f"acts/{answer.json()['id']}"
    [path] = waiting(workspace)
    act, _ = read(path)
    assert act.wanted == RERUN | {"subject": f"{FIRST:05d}"}


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"template": "doublet"}, 404, "did you mean 'doubled'"),
        ({"template": "../doubled"}, 404, "no template"),
        ({"subject": "99"}, 422, "no shot 99"),
        ({"subject": f"{FIRST}..{MOVED}"}, 422, "give one"),
        ({"subject": "1 OR 1"}, 422, ""),
        ({"parameters": {"gain": "2"}}, 422, "gain must be float"),
        ({"parameters": {"gain": 11}}, 422, "outside 0 .. 10"),
        ({"parameters": {"way": "left"}}, 422, "way must be"),
        ({"parameters": {"loss": 1}}, 422, "loss"),
        ({"parameters": {"shot": 2}}, 422, "leave it out"),
        ({"parameters": {"gain": "__import__('os').system('x')"}}, 422, "gain must be float"),
        ({"parameters": [1]}, 422, "parameters"),
        ({"who": "ben"}, 422, "who"),
    ],
)
def test_a_report_that_cannot_be_made_is_refused_at_once(ask_stored, stored, wrong, status, said):
    assert said in problem(ask_stored("reruns", json.dumps(RERUN | wrong)), status)["detail"]
    assert waiting(stored) == []


def test_a_damaged_act_is_set_aside(workspace):
    act, _ = submit(workspace, new_act("attributes", "anna", {"shot": FIRST, "changes": {}}))
    [path] = waiting(workspace)
    path.write_text('{"id": "other"}')
    assert done(workspace) == []
    assert waiting(workspace) == []
    assert path.with_suffix(".damaged").exists()
    assert find(workspace, act.id) is None


def test_an_act_that_was_done_but_not_recorded_is_not_done_again(workspace):
    wanted = {"shot": FIRST, "changes": {"gas": "He"}, "version": None, "why": ""}
    act, _ = submit(workspace, new_act("attributes", "anna", wanted))
    [path] = waiting(workspace)
    text = path.read_text()
    assert done(workspace) == [FIRST]
    edit(workspace.shot_folder(FIRST), {"gas": "Ne"}, who="ben")
    path.write_text(text)  # killed before the record was written
    (workspace.root / "data" / "acts" / DONE / path.name).unlink()
    done(workspace)
    assert [e.who for e in read_edits(workspace.shot_folder(FIRST))] == ["anna", "ben"]
    _, outcome = find(workspace, act.id) or (None, None)
    assert outcome == Outcome(state=DONE, result={"gas": ["Ar", "He"]})


def test_an_act_of_a_later_version_is_refused(workspace):
    submit(workspace, new_act("teleport", "anna", {}))
    [path] = waiting(workspace)
    act, _ = read(path)
    done(workspace)
    _, outcome = find(workspace, act.id) or (None, Outcome(state=""))
    assert "knows no act 'teleport'" in outcome.detail


def test_the_same_act_sent_many_times_at_once_waits_once(workspace):
    act = new_act("attributes", "anna", {"shot": FIRST, "changes": {"gas": "He"}}, "key")
    found: list[Act] = []
    threads = [
        threading.Thread(target=lambda: found.append(submit(workspace, act)[0])) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.id for a in found] == [act.id] * 20
    assert len(waiting(workspace)) == 1
    finish(workspace, act, Outcome(state=DONE))
    assert waiting(workspace) == []
    assert submit(workspace, act)[1].state == DONE


# --- who is who ----------------------------------------------------------------------------------


def test_a_token_is_shown_once_kept_as_a_digest_and_can_be_revoked(workspace):
    secret = add_token(workspace, "anna", "member")
    file = workspace.root / "data" / "serve" / "tokens.json"
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = token_of(workspace, secret)
    assert found is not None
    assert (found.name, found.role) == ("anna", "member")
    assert token_of(workspace, secret + "x") is None
    for name, role in (("anna", "member"), ("", "member"), ("a/b", "member"), ("ben", "king")):
        with pytest.raises(TokenError):
            add_token(workspace, name, role)
    with pytest.raises(TokenError, match="did you mean 'anna'"):
        revoke_token(workspace, "ana")
    revoke_token(workspace, "anna")
    assert token_of(workspace, secret) is None
    assert read_tokens(workspace) == []


def test_roles_say_who_may_act(workspace):
    settings = ServeSettings(auth="tokens")
    tokens = {r: add_token(workspace, f"a-{r}", r) for r in ("reader", "member", "operator")}
    with asking(workspace, settings) as ask:
        assert ask("shots").status == 200
        assert "who are you?" in problem(ask("me"), 401)["detail"]
        for role, status in (("reader", 403), ("member", 202), ("operator", 202)):
            answer = ask(ATTRIBUTES, GAS, headers=bearer(tokens[role]))
            assert answer.status == status, role
        assert problem(ask(ATTRIBUTES, GAS), 401)
        wrong = ask(ATTRIBUTES, GAS, headers=bearer("ishtar_guess"))
        assert "not known" in problem(wrong, 401)["detail"]
        assert wrong.headers["WWW-Authenticate"].startswith("Bearer")
        mine = ask(ATTRIBUTES, GAS, headers=bearer(tokens["member"])).json()
        assert ask(f"acts/{mine['id']}", headers=bearer(tokens["operator"])).status == 200
        other = add_token(workspace, "other", "member")
        assert problem(ask(f"acts/{mine['id']}", headers=bearer(other)), 404)
        revoke_token(workspace, "other")
        assert problem(ask("me", headers=bearer(other)), 401)


def test_a_browser_signs_in_by_a_password_and_comes_back(workspace):
    secret = add_token(workspace, "anna", "member")
    password = base64.b64encode(f"anna:{secret}".encode()).decode()
    with asking(workspace, ServeSettings(auth="tokens")) as ask:
        assert problem(ask("me"), 401)["sign_in"] == "sign-in"
        stranger = ask("sign-in?to=shots/00007/overview.html")
        assert problem(stranger, 401)
        assert stranger.headers["WWW-Authenticate"].startswith("Basic")
        signed = {"Authorization": f"Basic {password}"}
        for to in ("shots/01249/probe.html", "table.html", "", "shots/01249/reruns/a~x2f-1.html"):
            answer = ask(f"sign-in?to={to}", headers=signed, redirect=False)
            assert (answer.status, answer.headers["Location"]) == (303, f"../../{to}")
        for to in (
            "//elsewhere.example",
            "https://elsewhere.example",
            "../../x",
            "/x",
            "a//b",
            "x y",
        ):
            assert problem(ask("sign-in", fields={"to": to}, headers=signed, redirect=False), 422)
        assert ask("me", headers=signed).json() == {"name": "anna", "role": "member"}
    with asking(workspace, ServeSettings(auth="proxy")) as ask:
        assert "sign_in" not in problem(ask("me"), 401)


def test_a_site_for_readers_is_for_them_alone(workspace):
    secret = add_token(workspace, "anna", "reader")
    with asking(workspace, ServeSettings(auth="tokens", read="readers")) as ask:
        for path in ("/index.html", "/data/index.json", "shots", f"shots/{FIRST}"):
            assert problem(ask(path), 401)
            assert ask(path, headers=bearer(secret)).status == 200
        assert ask("/index.html").headers["WWW-Authenticate"].startswith("Basic")
        password = base64.b64encode(f"x:{secret}".encode()).decode()
        assert ask("/index.html", headers={"Authorization": f"Basic {password}"}).status == 200
        for wrong in ("Basic x", "Basic", "Bearer", "Digest y", f"Basic {'A' * 5000}"):
            assert problem(ask("/index.html", headers={"Authorization": wrong}), 401)


def test_the_header_of_a_proxy_is_believed_from_the_proxy_alone(workspace):
    roles = {"anna": "operator", "ben": "member"}
    settings = ServeSettings(auth="proxy", roles=roles)
    with asking(workspace, settings) as ask:
        for name, role in (*roles.items(), ("eva", "reader")):
            found = ask("me", headers={"X-Forwarded-User": name}).json()
            assert found == {"name": name, "role": role}
        assert problem(ask("me"), 401)
        for wrong in ("", "a b", "anna, ben", "x" * 200, "<b>"):
            assert problem(ask("me", headers={"X-Forwarded-User": wrong}), 400)
        forged = {"X-Forwarded-User": "anna", "X-Forwarded-For": "10.0.0.1"}
        assert ask("me", headers=forged).status == 200
    with asking(workspace, ServeSettings(auth="proxy", proxies=("10.0.0.1",), roles=roles)) as ask:
        found = problem(ask("me", headers={"X-Forwarded-User": "anna"}), 403)
        assert "for the proxy alone" in found["detail"]
        forged = {"X-Forwarded-User": "anna", "X-Forwarded-For": "10.0.0.1"}
        assert problem(ask("me", headers=forged), 403)


def test_below_a_path_of_a_server_it_is_the_same(workspace):
    with asking(workspace, ServeSettings(), below="/lab/shots") as ask:
        assert ask("shots").json()["shots"]
        answer = ask(ATTRIBUTES, GAS)
        assert answer.headers["Location"].startswith("../../acts/")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"auth": "magic"}, "'magic' must be 'open'"),
        ({"read": "nobody"}, "'nobody' must be 'public'"),
        ({"read": "readers"}, 'needs auth = "tokens"'),
        ({"roles": {"anna": "queen"}}, "anna = 'queen' must be one of"),
        ({"default_role": "queen"}, "'queen' must be 'reader'"),
        ({"proxies": ("everywhere",)}, "'everywhere' does not appear to be an IPv4"),
        ({"proxy_header": "X User:"}, "no name of a header"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        ServeSettings(**wrong)


def test_without_fastapi_the_site_is_served(workspace, monkeypatch):
    monkeypatch.setattr("runner.serve.site_app.find_spec", lambda _: None)
    with asking(workspace, ServeSettings()) as ask:
        assert ask("/index.html").status == 200
        assert ask("shots").status == 404


def test_no_token_is_in_a_log(workspace, caplog, capfd):
    secret = add_token(workspace, "anna", "member")
    with asking(workspace, ServeSettings(auth="tokens")) as ask:
        ask("me", headers=bearer(secret))
        ask("me", headers=bearer(secret + "wrong"))
    seen = caplog.text + "".join(capfd.readouterr())
    assert "ishtar_" not in seen


def test_the_files_of_a_workspace_are_no_files_of_the_site(workspace):
    add_token(workspace, "anna", "member")
    link = workspace.site / "out.json"
    link.symlink_to(Path("..") / ".." / "data" / "serve" / "tokens.json")
    with asking(workspace, ServeSettings()) as ask:
        for path in ("/../../data/serve/tokens.json", "/%2e%2e/%2e%2e/ishtar.toml", "/out.json"):
            assert ask(path).status == 404


def test_raw_files_that_moved_to_another_disk_are_served(workspace, tmp_path):
    source = next(workspace.shot_folder(FIRST).glob("*.h5"))
    published = workspace.site / "raw" / f"{FIRST:05d}" / source.name
    content = source.read_bytes()
    other = tmp_path / "other disk"
    other.mkdir()
    moved = shutil.move(source, other / source.name)
    for link in (source, published):
        link.unlink(missing_ok=True)
        link.symlink_to(moved)
    foreign = published.with_name("foreign.h5")
    foreign.symlink_to(workspace.root / "ishtar.toml")
    with asking(workspace, ServeSettings()) as ask:
        assert ask(f"/raw/{FIRST:05d}/{source.name}").data == content
        answer = ask(f"/raw/{FIRST:05d}/{source.name}", headers={"Range": "bytes=0-7"})
        assert (answer.status, answer.data) == (206, content[:8])
        assert ask(f"/raw/{FIRST:05d}/foreign.h5").status == 404
        moved.unlink()  # a disk that is not there
        assert ask(f"/raw/{FIRST:05d}/{source.name}").status == 404
