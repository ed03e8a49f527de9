"""Who gets in, for how long, and what guessing comes to."""

import time

import pytest
from allauth.core.internal import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.core.management import call_command
from django.test import Client

from crm.models import AuditEntry, Channel, Membership
from crm.models.membership import Role
from gateway.cache import SteadyCache
from gateway.console.middleware import BEGAN, SEEN, Accounts
from tests.access.totp import code, wrong

PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LOGIN = "/admin/login/"


@pytest.fixture
def olga(db, django_user_model):
    return django_user_model.objects.create_superuser("olga", password=PASSWORD)


@pytest.fixture
def guarded(olga):
    """Give Olga an authenticator app and recovery codes."""
    TOTP.activate(olga, SECRET)
    RecoveryCodes.activate(olga)
    return olga


def sign_in(client, password=PASSWORD, name="olga", **extra):
    return client.post(LOGIN, {"username": name, "password": password}, **extra)


def is_in(client):
    return client.get("/admin/").status_code == 200


def actions():
    return list(AuditEntry.objects.filter(kind="auth.user").values_list("action", flat=True))


# -- passwords


def test_a_name_and_a_password_let_an_operator_in_and_it_is_written_down(client, olga):
    answer = sign_in(client, REMOTE_ADDR="192.0.2.7")
    assert (answer.status_code, answer.url) == (302, "/admin/")
    assert is_in(client)
    entry = AuditEntry.objects.get(action="signed in")
    assert (entry.actor, entry.operator_id, entry.address) == ("olga", olga.pk, "192.0.2.7")


def test_where_one_was_going_one_gets_to_but_to_no_other_site(client, olga):
    asked = client.get("/admin/crm/user/")
    assert asked.url == "/admin/login/?next=/admin/crm/user/"
    form = {"username": "olga", "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post(LOGIN, form).url == "/admin/"


@pytest.mark.parametrize("fact", ["is_staff", "is_active"])
def test_whoever_is_no_operator_gets_nowhere(client, olga, fact):
    setattr(olga, fact, False)
    olga.save()
    sign_in(client)
    assert not is_in(client)
    assert client.get("/admin/crm/user/").status_code == 302


def test_nobody_signs_up_or_has_a_password_sent(client, db):
    for path in ("signup/", "password/reset/", "email/", "login/code/"):
        assert client.get(f"/admin/account/{path}").status_code in {302, 404}
        assert client.post(f"/admin/account/{path}", {"email": "a@b.c"}).status_code in {302, 404}


def test_guessing_ends_for_a_while_and_at_that_address_alone(client, olga, monkeypatch):
    for _ in range(5):
        assert sign_in(client, "wrong").status_code == 200
    assert "Too many" in sign_in(client).content.decode()
    assert not is_in(client)
    elsewhere = Client()
    sign_in(elsewhere, REMOTE_ADDR="198.51.100.1")
    assert is_in(elsewhere)
    later(monkeypatch, 301)
    sign_in(client)
    assert is_in(client)
    assert actions().count("refused") == 5


def later(monkeypatch, seconds):
    class Later:
        monotonic, sleep = time.monotonic, time.sleep

        @staticmethod
        def time():
            return time.time() + seconds

    monkeypatch.setattr(ratelimit, "time", Later)


def test_many_names_from_one_address_come_to_an_end_too(client, db):
    said = [sign_in(client, "wrong", f"name-{n}").content.decode() for n in range(25)]
    assert "Too many" not in said[10]
    assert "Too many" in said[-1]


def test_a_name_nobody_has_is_not_written_down(client, olga):
    sign_in(client, "wrong", "my-password-typed-into-the-wrong-box")
    assert "my-password" not in str(list(AuditEntry.objects.values()))


def test_a_guess_is_counted_though_the_page_fails(client, olga, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError

    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("gateway.console.accounts.Accounts.authentication_failed", broken)
        for _ in range(5):
            assert sign_in(client, "wrong").status_code == 500
    assert "Too many" in sign_in(client).content.decode()


def test_while_the_store_is_away_attempts_are_still_counted_and_still_heard(
    client, olga, monkeypatch
):
    away = SteadyCache("redis://127.0.0.1:1/0", {"KEY_PREFIX": "gateway"})
    away._own.clear()
    monkeypatch.setattr(ratelimit, "cache", away)
    for _ in range(5):
        assert sign_in(client, "wrong").status_code == 200
    assert "Too many" in sign_in(client).content.decode()
    later(monkeypatch, 301)
    sign_in(client)
    assert is_in(client)


def test_a_cache_that_lost_its_store_goes_on_by_itself():
    away = SteadyCache("redis://127.0.0.1:1/0", {"KEY_PREFIX": "gateway"})
    away._own.clear()
    assert away.add("a", 1)
    assert not away.add("a", 2)
    assert away.incr("a") == 2
    away.set("b", "x", 60)
    assert away.get_many(["a", "b"]) == {"a": 2, "b": "x"}
    assert away.has_key("b")
    assert away.delete("b")
    assert away.get("b", "gone") == "gone"


# -- second factors


def test_a_second_factor_is_asked_for(client, guarded):
    answer = sign_in(client)
    assert answer.url == "/admin/account/second-factor/authenticate/"
    assert not is_in(client)
    assert client.post(answer.url, {"code": code(SECRET)}).url == "/admin/"
    assert is_in(client)


def test_a_code_works_once(client, guarded):
    right = code(SECRET)
    client.post(sign_in(client).url, {"code": right})
    assert is_in(client)
    other = Client()
    other.post(sign_in(other).url, {"code": right})
    assert not is_in(other)


def test_a_recovery_code_works_once(client, guarded):
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    for browser, expected in ((client, True), (Client(), False)):
        browser.post(sign_in(browser).url, {"code": codes[0]})
        assert is_in(browser) == expected


def test_guessing_codes_ends(client, guarded):
    address = sign_in(client).url
    for _ in range(5):
        client.post(address, {"code": wrong(SECRET)})
    client.post(address, {"code": code(SECRET)})
    assert not is_in(client)
    assert actions().count("refused") == 5
    assert {"factor": [None, "second factor"]} in AuditEntry.objects.filter(
        action="refused"
    ).values_list("changes", flat=True)


def test_a_password_alone_opens_nothing_in_between(client, guarded):
    sign_in(client)
    for path in ("/admin/", "/admin/crm/user/", "/admin/account/second-factor/"):
        assert "/login" in client.get(path).url
    assert "/login" in client.post("/admin/account/second-factor/totp/deactivate/").url


def test_what_makes_codes_is_sealed_where_it_is_stored(guarded):
    stored = {factor.type: factor.data for factor in Authenticator.objects.all()}
    assert stored["totp"]["secret"].startswith("gAAAA")
    assert stored["recovery_codes"]["seed"].startswith("gAAAA")
    assert SECRET not in str(stored)


def test_where_one_is_required_there_is_no_way_past_making_one(client, olga, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    sign_in(client)
    where = "/admin/account/second-factor/totp/activate/"
    for path in ("/admin/", "/admin/crm/user/", "/admin/auth/user/", "/admin/search/?s=a"):
        assert client.get(path).url == where
        assert client.post(path).url == where
    page = client.get(where, follow=True)
    assert page.status_code == 200
    TOTP.activate(olga, SECRET)
    assert is_in(client)


def test_making_one_takes_the_password_again(client, olga):
    sign_in(client)
    where = "/admin/account/second-factor/totp/activate/"
    asked = client.get(where)
    assert asked.url.startswith("/admin/account/reauthenticate/")
    assert client.post(asked.url, {"password": PASSWORD}).url == where
    page = client.get(where)
    secret = page.context["form"].secret
    client.post(where, {"code": code(secret)})
    assert {f.type for f in Authenticator.objects.all()} == {"totp", "recovery_codes"}
    kinds = AuditEntry.objects.filter(kind="mfa.authenticator")
    assert {entry.actor for entry in kinds} == {"olga"}
    assert secret not in str(list(kinds.values()))


def test_a_lost_factor_is_forgotten_by_command_and_every_session_ends(client, guarded):
    client.post(sign_in(client).url, {"code": code(SECRET)})
    assert is_in(client)
    call_command("reset_second_factor", "olga")
    assert not is_in(client)
    assert not Authenticator.objects.exists()
    entry = AuditEntry.objects.filter(kind="mfa.authenticator").latest("id")
    assert (entry.via, entry.action, entry.object_name) == ("command", "deleted", "olga")


# -- sessions


def test_a_session_is_a_new_one_after_signing_in(client, olga):
    client.get(LOGIN)
    client.cookies["sessionid"] = "planted"
    answer = sign_in(client)
    cookie = answer.cookies["sessionid"]
    assert cookie.value != "planted"
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


@pytest.mark.parametrize(("mark", "longest"), [(SEEN, 3600), (BEGAN, 12 * 3600)])
def test_a_session_ends_by_itself(client, olga, mark, longest):
    sign_in(client)
    assert is_in(client)
    for passed, stays in ((longest - 120, True), (longest + 5, False)):
        session = client.session
        session[mark] = time.time() - passed
        session.save()
        assert is_in(client) == stays
    assert "signed out" in actions()


def test_a_session_that_is_used_stays(client, olga):
    sign_in(client)
    assert is_in(client)
    session = client.session
    session[SEEN] = time.time() - 1000
    session.save()
    assert is_in(client)
    assert client.session[SEEN] > time.time() - 10


def test_what_an_operator_sees_is_kept_by_no_cache(client, olga):
    sign_in(client)
    for path in ("/admin/", "/admin/crm/user/", "/admin/account/sessions/"):
        assert "no-store" in client.get(path).headers["Cache-Control"]


def test_one_sees_ones_sessions_and_ends_them_and_nobody_elses(client, olga, django_user_model):
    other = Client()
    for browser in (client, other):
        sign_in(browser)
    django_user_model.objects.create_superuser("anna", password=PASSWORD)
    anna = Client()
    sign_in(anna, name="anna")
    page = client.get("/admin/account/sessions/")
    assert len(page.context["sessions"]) == 2
    foreign = UserSession.objects.get(user__username="anna")
    client.post("/admin/account/sessions/", {"session": foreign.pk})
    assert is_in(anna)
    mine = next(s for s in page.context["sessions"] if s.session_key != client.session.session_key)
    client.post("/admin/account/sessions/", {"session": mine.pk})
    assert not is_in(other)
    sign_in(other)
    client.post("/admin/account/sessions/")
    assert (is_in(client), is_in(other), is_in(anna)) == (True, False, True)


def test_another_password_ends_the_sessions_elsewhere(client, olga):
    sign_in(client)
    assert is_in(client)
    olga.set_password("another long password")
    olga.save()
    assert not is_in(client)


@pytest.mark.parametrize("bad", ["short", "123456789012345", "password1234"])
def test_a_password_that_is_soon_guessed_is_refused(client, olga, bad):
    sign_in(client)
    again(client)
    form = {"old_password": PASSWORD, "new_password1": bad, "new_password2": bad}
    client.post("/admin/password_change/", form)
    olga.refresh_from_db()
    assert olga.check_password(PASSWORD)


def again(client):
    client.post("/admin/account/reauthenticate/", {"password": PASSWORD})


# -- deeds


def test_a_page_that_fails_leaves_nothing_behind(client, olga, app, monkeypatch):
    channel = Channel.objects.create(app=app, uuid="news", name="News")
    sign_in(client)
    client.raise_request_exception = False

    def broken(self, request, obj, form, change):
        obj.save()
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("unfold.admin.ModelAdmin.save_model", broken)
        form = {"app": app.pk, "uuid": "news", "name": "Changed"}
        answer = client.post(f"/admin/crm/channel/{channel.pk}/change/", form)
    assert answer.status_code == 500
    channel.refresh_from_db()
    assert channel.name == "News"
    assert is_in(client)


def test_a_pages_change_is_laid_at_the_operators_door(client, olga, app):
    channel = Channel.objects.create(app=app, uuid="news", name="News")
    sign_in(client)
    form = {"app": app.pk, "uuid": "news", "name": "Changed"}
    headers = {"x-request-id": "my-request"}
    client.post(f"/admin/crm/channel/{channel.pk}/change/", form, headers=headers)
    entry = AuditEntry.objects.filter(kind="crm.channel").latest("id")
    assert (entry.via, entry.actor, entry.app_id) == ("admin", "olga", app.pk)
    assert entry.request_id == "my-request"
    assert entry.changes == {"name": ["News", "Changed"]}


def test_an_apis_change_is_laid_at_its_own(client, new_app):
    from kumulos_calls import Caller, basic

    backend = Caller(client, basic(new_app.api_key, new_app.server_key))
    assert backend.ask("POST", "/channels", {"uuid": "news", "name": "News"}).status_code < 300
    entry = AuditEntry.objects.filter(kind="crm.channel").latest("id")
    assert (entry.via, entry.actor, entry.app_id) == ("api", "kumulos", new_app.app.pk)
    assert entry.request_id
    before = AuditEntry.objects.count()
    assert backend.send(broadcast=True).status_code == 201
    assert AuditEntry.objects.count() == before


def test_an_apis_caller_is_told_by_the_address_our_proxy_heard(client, new_app, settings):
    from kumulos_calls import Caller, basic

    settings.PROXY_HOPS = 1
    backend = Caller(client, basic(new_app.api_key, new_app.server_key))
    heard = {"HTTP_X_FORWARDED_FOR": "1.1.1.1, 8.8.8.8", "REMOTE_ADDR": "10.0.0.1"}
    backend.ask("POST", "/channels", {"uuid": "news", "name": "News"}, **heard)
    assert AuditEntry.objects.filter(kind="crm.channel").latest("id").address == "8.8.8.8"


def test_no_api_meets_what_is_for_pages(client, db, monkeypatch):
    def fails(*_):
        raise AssertionError

    for name in ("SecondFactor", "SignedInFor"):
        monkeypatch.setattr(f"gateway.console.middleware.{name}.process_request", fails)
    monkeypatch.setattr("gateway.console.middleware.acting", fails)
    monkeypatch.setattr(Accounts, "process_exception", fails)
    assert client.post("/notifications", {}).status_code == 401


# -- operators and members


def test_changing_operators_takes_saying_again_who_one_is(client, olga):
    sign_in(client)
    form = {"username": "anna", "password1": PASSWORD, "password2": PASSWORD}
    form |= {"usable_password": "true", **MANAGEMENT}
    asked = client.post("/admin/auth/user/add/", form)
    assert asked.url.startswith("/admin/account/reauthenticate/")
    assert not type(olga).objects.filter(username="anna").exists()
    done = client.post(asked.url, {"password": PASSWORD})  # which goes on with the form
    anna = type(olga).objects.get(username="anna")
    assert done.status_code == 302
    assert (anna.is_staff, anna.is_superuser) == (True, False)


MANAGEMENT = {
    "memberships-TOTAL_FORMS": "0",
    "memberships-INITIAL_FORMS": "0",
}


def test_the_last_superuser_stays(client, olga):
    sign_in(client)
    again(client)
    form = {"username": "olga", "is_active": "on", **MANAGEMENT}
    page = client.post(f"/admin/auth/user/{olga.pk}/change/", form)
    assert "last superuser" in page.content.decode()
    client.post(f"/admin/auth/user/{olga.pk}/delete/", {"post": "yes"})
    client.post(
        "/admin/auth/user/",
        {"action": "delete_selected", "_selected_action": [olga.pk], "post": "yes"},
    )
    olga.refresh_from_db()
    assert olga.is_superuser


def test_an_apps_admin_lets_others_in_by_name_and_in_no_other_app(
    client, app, db, django_user_model
):
    from crm.commands.apps import create_app

    other = create_app(name="Other").app
    users = django_user_model.objects
    admin = users.create_user("ann", password=PASSWORD, is_staff=True)
    bob = users.create_user("bob", is_staff=True)
    users.create_user("customer")
    Membership.objects.create(operator=admin, app=app, role=Role.ADMIN)
    sign_in(client, name="ann")

    def add(name, to):
        form = {"named": name, "app": to.pk, "role": int(Role.SENDER)}
        return client.post("/admin/crm/membership/add/", form).status_code == 302

    assert not add("nobody", app)
    assert not add("customer", app)
    assert not add("bob", other)
    assert add("bob", app)
    assert not add("bob", app)
    assert bob.memberships.get().role == Role.SENDER
    page = client.get("/admin/crm/membership/add/").content.decode()
    assert "customer" not in page


def test_the_audit_log_goes_out_as_csv_that_no_spreadsheet_runs(client, olga, app):
    Channel.objects.create(app=app, uuid="x", name="=cmd|' /C calc'!A0")
    sign_in(client)
    answer = client.get(f"/admin/crm/auditentry/export.csv?app={app.pk}&kind=crm.channel")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert lines[0].startswith("id,at,via,actor")
    assert len(lines) == 2
    assert ",'=cmd" in lines[1] or ",\"'=cmd" in lines[1]


def test_the_log_is_narrowed_down(client, olga, app):
    Channel.objects.create(app=app, uuid="x", name="Known")
    sign_in(client)

    def shown(query):
        return client.get(f"/admin/crm/auditentry/?{query}").content.decode()

    assert "Known" in shown("")
    assert "Known" in shown(f"app={app.pk}&kind=crm.channel&action__exact=added")
    assert "Known" not in shown("kind=crm.segment")
    assert "Known" not in shown("action__exact=deleted")
    assert "Known" not in shown("via__exact=api")
    assert "Known" in shown("at_from_0=2020-01-01&at_to_0=2099-01-01&at_to_1=10:00:00")
    assert "Known" not in shown("at_to_0=2020-01-01")
    assert "Known" in shown("q=Known")
    page = client.get(f"/admin/crm/app/{app.pk}/history/", follow=True).content.decode()
    assert "Example" in page
    assert "Known" not in page
