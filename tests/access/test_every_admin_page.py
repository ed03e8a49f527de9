"""Who may open and do what in the admin: every page there is, found by enumeration.

A page, a model or an action that is new fails here until a line says who may.
"""

import re
from html import escape
from http import HTTPStatus
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.forms import ModelChoiceField
from django.urls import get_resolver

from crm.models import App, AppKey, AuditEntry
from crm.models.membership import Role
from delivery.commands.try_out import NAME
from delivery.models import Notification, Occurrence
from tests.access.estate import enrol, furnish, snapshot, undone

VIEWER, SENDER, ADMIN = Role.VIEWER, Role.SENDER, Role.ADMIN
SUPERUSER = 4
NEVER = 5

RANK = {
    "anonymous": 0,
    "no operator": 0,
    "retired": 0,
    "outsider": 0,
    "viewer": VIEWER,
    "sender": SENDER,
    "admin": ADMIN,
    "superuser": SUPERUSER,
}

ROWS = {"view": VIEWER, "add": ADMIN, "change": ADMIN, "delete": ADMIN}
READ = {"view": VIEWER, "add": NEVER, "change": NEVER, "delete": NEVER}

MAY = {
    "crm.app": {**ROWS, "add": SUPERUSER, "delete": NEVER},
    "crm.user": READ,
    "crm.install": READ,
    "crm.devicetoken": READ,
    "crm.channel": {**ROWS, "add": SENDER, "change": SENDER},
    "crm.event": READ,
    "crm.segment": {"view": VIEWER, "add": SENDER, "change": SENDER, "delete": SENDER},
    "crm.membership": {"view": ADMIN, "add": ADMIN, "change": ADMIN, "delete": ADMIN},
    "crm.auditentry": {**READ, "view": ADMIN},
    "auth.user": dict.fromkeys(ROWS, SUPERUSER),
    "templates_app.template": {
        "view": VIEWER,
        "add": SENDER,
        "change": SENDER,
        "delete": SENDER,
    },
    "delivery.notification": READ,
    "delivery.occurrence": READ,
    "delivery.batch": READ,
    "delivery.inboxitem": READ,
    "delivery.providercredential": {**ROWS, "change": NEVER},
    "delivery.breaker": READ,
    "delivery.webhook": ROWS,
    "delivery.webhookdelivery": READ,
}
"""What takes which role, by model."""

ACTIONS = {
    "delivery.notification": {"pause": SENDER, "resume": SENDER, "cancel": SENDER},
    "delivery.breaker": {"close": ADMIN},
    "auth.user": {"reset_second_factor": SUPERUSER},
    "delivery.webhookdelivery": {"tell_again": ADMIN},
}
"""The same of what is done to several rows; deleting them takes what deleting one does."""

OF_A_ROW = {
    "delivery_webhook_tried_page": ("delivery.webhook", VIEWER),
    "delivery_webhook_rotate": ("delivery.webhook", ADMIN),
    "delivery_webhook_stop": ("delivery.webhook", ADMIN),
    "delivery_webhook_start": ("delivery.webhook", ADMIN),
    "delivery_webhook_replay": ("delivery.webhook", ADMIN),
    "crm_app_rotate": ("crm.app", ADMIN),
    "crm_app_revoke": ("crm.app", ADMIN),
    "crm_app_twin": ("crm.app", ADMIN),
    "delivery_providercredential_replace": ("delivery.providercredential", ADMIN),
    "delivery_providercredential_try": ("delivery.providercredential", SENDER),
    "delivery_providercredential_tried": ("delivery.providercredential", SENDER),
    "send": ("delivery.notification", VIEWER),
    "send_progress": ("delivery.notification", VIEWER),
    "send_export": ("delivery.notification", VIEWER),
    "send_stop": ("delivery.notification", SENDER),
}
"""The same of what a row has a page for beside Django's."""

ANYBODY = -1
SITE = {
    "login": ANYBODY,
    "logout": ANYBODY,
    "account_login": ANYBODY,
    "account_logout": ANYBODY,
    "account_inactive": ANYBODY,
    "account_reauthenticate": 0,
    "account_change_password": 0,
    "account_set_password": 0,
    "mfa_authenticate": ANYBODY,  # half-way through signing in
    "mfa_index": 0,
    "mfa_reauthenticate": 0,
    "mfa_activate_totp": 0,
    "mfa_deactivate_totp": 0,
    "mfa_view_recovery_codes": 0,
    "mfa_generate_recovery_codes": 0,
    "mfa_download_recovery_codes": 0,
    "mfa_list_webauthn": 0,
    "mfa_add_webauthn": 0,
    "mfa_reauthenticate_webauthn": 0,
    "mfa_remove_webauthn": 0,
    "mfa_edit_webauthn": 0,
    "usersessions_list": 0,
    "index": 0,
    "password_change": 0,
    "password_change_done": 0,
    "jsi18n": 0,
    "view_on_site": 0,
    "autocomplete": 0,
    "search": 0,
    "why": 0,
    "compose": SENDER,
    "compose_check": SENDER,
    "compose_reach": SENDER,
    "compose_rule": SENDER,
    "compose_segment": SENDER,
    "compose_names": SENDER,
    "compose_test": SENDER,
    "compose_review": SENDER,
    "compose_again": SENDER,
    "compose_send": SENDER,
    "app_list": 0,
    "toggle_sidebar": 0,
    "crm_auditentry_export": ADMIN,
    "auth_user_password_change": SUPERUSER,
    "": ANYBODY,  # redirects, and what no page answers
}
"""Pages that are no model's own: 0 takes signing in and shows what is one's own."""

MODELS = {model._meta.label_lower: model for model in admin.site._registry}
SUFFIX = {"changelist": "view", "add": "add", "change": "change", "delete": "delete"}


def pages(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from pages(pattern.url_patterns, route)
        else:
            yield route, pattern.name or ""


PAGES = [page for page in pages(get_resolver().url_patterns) if page[0].startswith("admin")]


def split(name):
    """Give the model's label and the deed of a model's own page, or None."""
    for label in MODELS:
        stem = label.replace(".", "_") + "_"
        if name.startswith(stem) and name.removeprefix(stem) in {*SUFFIX, "history"}:
            return label, name.removeprefix(stem)
    return None


ITS_OWN = r"<path:object_id>|<id>|<int:(?:id_|app_id|credential_id)>"


def path_of(route, row=None, **others):
    """Give an address a route answers at; `others` are the ids it has beside that of its row."""
    path = re.sub(ITS_OWN, str(row.pk if row is not None else 1), route)
    for name, other in others.items():
        path = path.replace(f"<int:{name}>", str(other.pk))
    path = re.sub(r"<(?:int|path):content_type_id>|<int:pk>", "1", path)
    path = re.sub(r"\^?\(\?P<app_label>([^|)]+).*?\)/\$", r"\1/", path)
    path = re.sub(r"\(\?P<url>\.\*\)\$", "nothing/", path)
    assert "<" not in path, f"{route}: say in `path_of` what stands there"
    return "/" + path.replace("^", "").replace("$", "")


@pytest.fixture(scope="module")
def furnished(django_db_setup, django_db_blocker):
    """Furnish two apps once for all tests, each of which takes back what it does to them."""
    with django_db_blocker.unblock(), undone():
        yield furnish_both(get_user_model())


@pytest.fixture
def estates(furnished, db):
    """Give both; `db` is a savepoint inside the transaction they were furnished in."""
    return furnished


def furnish_both(django_user_model):
    own, rows = furnish("alpha")
    other, theirs = furnish("bravo")
    people = enrol(django_user_model.objects, own.app)
    for label in ("auth.user", "crm.membership"):
        model = MODELS[label]
        rows[model] = people["viewer"] if label == "auth.user" else model.objects.first()
    stranger = django_user_model.objects.create_user("bravo-olga", is_staff=True)
    theirs[MODELS["auth.user"]] = stranger
    theirs[MODELS["crm.membership"]] = MODELS["crm.membership"].objects.create(
        operator=stranger, app=other.app, role=Role.ADMIN
    )
    for estate, app in ((rows, own.app), (theirs, other.app)):
        estate[AuditEntry] = AuditEntry.objects.filter(app=app).latest("id")
        estate["tried"] = try_out(app, estate)
    return own.app, rows, other.app, theirs, people


def try_out(app, rows):
    """Give a firing as pushing through a credential to try it makes it."""
    test = Notification.objects.get(pk=rows[Notification].pk)
    test.pk, test.name = None, NAME
    test.save(force_insert=True)
    firing = Occurrence.objects.get(pk=rows[Occurrence].pk)
    firing.pk, firing.notification = None, test
    firing.save(force_insert=True)
    return firing


@pytest.fixture(params=RANK)
def who(request, client, estates):
    """Sign each kind of person in, in turn; say who it is."""
    people = estates[-1]
    if request.param != "anonymous":
        client.force_login(people[request.param])
        session = client.session
        session["account_authentication_methods"] = [RECENT]
        session["account_authentication_methods_user"] = str(people[request.param].pk)
        session.save()
    return request.param


RECENT = {"method": "password", "at": 4e9, "reauthenticated": True}
"""Somebody who has just said again who they are; those who have not: test_second_factor."""


def seen(answer):
    """Give what a page shows, but for the address that was asked for."""
    if getattr(answer, "streaming", False):
        return b"".join(answer.streaming_content).decode().lower()
    return answer.content.decode().lower()


def opened(answer):
    """Say whether a page was answered, rather than refused or led elsewhere to sign in."""
    if answer.request["PATH_INFO"].startswith("/admin/login/"):
        return False  # it was followed there
    if answer.status_code in range(300, 400):
        return "/login" not in answer.url and answer.url != "/admin/"
    return answer.status_code < HTTPStatus.BAD_REQUEST


def test_every_model_page_and_action_has_a_line():
    assert set(MODELS) == set(MAY)
    for _, name in PAGES:
        assert split(name) or name in SITE or name in OF_A_ROW, f"say who may open {name}"
    for label, model in MODELS.items():
        desk = admin.site._registry[model]
        named = {desk.get_action(action)[1] for action in desk.actions}
        assert not desk.actions_submit_line, label
        assert named == set(ACTIONS.get(label, {})), label


def test_each_page_of_a_model_opens_to_whom_the_table_says(client, estates, who):
    _, rows, other, _, _ = estates
    before = snapshot(other)
    for route, name in PAGES:
        if (found := split(name)) is None:
            continue
        label, deed = found
        model = MODELS[label]
        needs = MAY[label][SUFFIX.get(deed, "view")]
        if deed == "history":  # it is in the audit log
            needs = max(needs, ADMIN)
        sees = MAY[label]["view"] if deed == "change" else needs
        with undone():
            page = client.get(path_of(route, rows[model]), follow=deed == "history")
            told = f"{who} {name}: {page.status_code}"
            allowed = RANK[who] >= max(sees, VIEWER)
            assert (opened(page) and page.status_code == HTTPStatus.OK) == allowed, told
            if who != "superuser":
                assert "bravo" not in seen(page), told
        if deed in {"add", "change", "delete"}:
            with undone():
                answer = client.post(path_of(route, rows[model]), {"post": "yes"})
                done = answer.status_code != HTTPStatus.FORBIDDEN and opened(answer)
                assert done == (RANK[who] >= needs), f"{who} posts {name}: {answer.status_code}"
    assert snapshot(other) == before


def test_nothing_of_another_app_is_seen_or_changed(client, estates, who):
    """B's own ids, in every page of a model, by somebody of A."""
    if who == "superuser":
        return
    _, _, other, theirs, _ = estates
    before = snapshot(other)
    for route, name in PAGES:
        found = split(name)
        row = found and theirs[MODELS[found[0]]]
        if row is None or path_of(route, row) == path_of(route):
            continue
        path = path_of(route, row)
        for answer in (client.get(path), client.post(path, {"post": "yes", "name": "taken"})):
            assert not opened(answer), f"{who} {path}: {answer.status_code}"
            assert "bravo" not in seen(answer)
    assert snapshot(other) == before


def test_each_page_of_a_row_opens_to_whom_the_table_says_and_for_no_row_of_another_app(
    client, estates, who
):
    _, rows, other, theirs, _ = estates
    before = snapshot(other)
    for route, name in PAGES:
        if name not in OF_A_ROW:
            continue
        label, needs = OF_A_ROW[name]
        for estate, own in ((rows, True), (theirs, who == "superuser")):
            for ask in (client.get, client.post):
                with undone():
                    ids = {"key_id": estate[AppKey], "occurrence_id": estate["tried"]}
                    answer = ask(path_of(route, estate[MODELS[label]], **ids))
                    if not own or RANK[who] < needs:
                        assert not opened(answer), f"{who} {name}: {answer.status_code}"
                        assert snapshot(other) == before, f"{who} {name}"
                    else:
                        assert answer.status_code in {200, 302, 405}, f"{who} {name}"
                        seen(answer)


def without(shown, query):
    """Give what a page shows, but for what was asked: it is in links, and in the search box."""
    quoted = [quote(query, safe="").lower(), quote(query).lower(), query, escape(query)]
    for echo in (*quoted, 'value="bravo"'):
        shown = shown.replace(echo, "")
    return shown


@pytest.mark.parametrize("label", MAY)
def test_no_list_is_widened_by_its_address(client, estates, label):
    client.force_login(estates[-1]["admin"])
    _, _, other, theirs, _ = estates
    model = MODELS[label]
    [route] = [route for route, name in PAGES if split(name) == (label, "changelist")]
    fields = [field.name for field in model._meta.get_fields()]
    asked = [
        "",
        "q=bravo",
        f"q={theirs[model].pk}",
        f"id__exact={theirs[model].pk}",
        f"pk__in={theirs[model].pk}",
        "_popup=1",
        "_to_field=id",
        "_to_field=password",
        "all=1",
        "p=0",
        "o=1",
        "older=999999999",
        "newer=0",
        f"app={other.pk}",
        f"app__id__exact={other.pk}",
        f"app_id={other.pk}",
        *(f"{name}__app__exact={other.pk}" for name in fields),
        *(f"{name}__name__startswith=bravo" for name in fields),
        *(f"{name}__uid__startswith=bravo" for name in fields),
        *(f"{name}__password__startswith=a" for name in fields),
        *(f"{name}__isnull=0" for name in fields),
    ]
    led_to = set()
    for query in asked:
        answer = client.get(f"{path_of(route)}?{query}")
        assert answer.status_code < 500, query
        if answer.status_code == HTTPStatus.FOUND:  # as most are: to the list as it was
            if answer.url in led_to:
                continue
            led_to.add(answer.url)
            answer = client.get(answer.url, follow=True)
        shown = without(seen(answer), query)
        assert "bravo" not in shown, f"{label}?{query}"


def actions():
    for route, name in PAGES:
        found = split(name)
        if found and found[1] == "changelist":
            named = {**ACTIONS.get(found[0], {}), "delete_selected": MAY[found[0]]["delete"]}
            for action, needs in named.items():
                yield path_of(route), MODELS[found[0]], action, needs


def test_each_action_is_done_by_whom_the_table_says_and_to_nothing_of_another_app(
    client, estates, who
):
    own, rows, other, theirs, _ = estates
    before, mine = snapshot(other), snapshot(own)
    for path, model, action, needs in actions():
        form = {"action": action, "post": "yes", "select_across": "1", "index": "0"}
        for chosen in ([rows[model].pk], [theirs[model].pk, rows[model].pk], [theirs[model].pk]):
            with undone():
                answer = client.post(path, {**form, "_selected_action": chosen})
                assert answer.status_code < 500
                if who != "superuser":
                    assert snapshot(other) == before, f"{who} {action}"
                    assert "bravo" not in seen(answer)
                if RANK[who] < needs:
                    assert snapshot(own) == mine, f"{who} {action}"


def test_no_form_offers_or_takes_rows_of_another_app(client, estates, who):
    if who == "superuser":
        return
    _, rows, _, theirs, _ = estates
    checked = 0
    for route, name in PAGES:
        found = split(name)
        if not found or found[1] not in {"add", "change"}:
            continue
        answer = client.get(path_of(route, rows[MODELS[found[0]]]))
        if answer.status_code != HTTPStatus.OK or "adminform" not in (answer.context or {}):
            continue
        forms = [answer.context["adminform"].form]
        for inline in answer.context["inline_admin_formsets"]:
            forms += [*inline.formset.forms, inline.formset.empty_form]
        for form in forms:
            for field in form.fields.values():
                if isinstance(field, ModelChoiceField):
                    offered = field.queryset
                    row = theirs.get(offered.model)
                    assert row is not None, f"{name}: nothing of the kind in the estate"
                    assert not offered.filter(pk=row.pk).exists(), f"{who} {name}"
                    checked += 1
    assert checked or RANK[who] < ADMIN


def test_nobody_finds_another_apps_rows_by_searching_or_completing(client, estates, who):
    if who == "superuser":
        return
    for address in (
        "/admin/search/?s=bravo",
        "/admin/search/?s=bravo&extended=1",
        "/admin/crm/",
        "/admin/auth/",
        "/admin/",
        "/admin/crm/auditentry/export.csv",
        "/admin/crm/auditentry/export.csv?q=bravo",
    ):
        shown = seen(client.get(address, follow=True))
        assert "bravo" not in without(shown, address.partition("?")[2]), address
    for model in MODELS.values():
        for field in model._meta.get_fields():
            asked = {
                "term": "bravo",
                "app_label": model._meta.app_label,
                "model_name": model._meta.model_name,
                "field_name": field.name,
            }
            answer = client.get("/admin/autocomplete/", asked)
            assert answer.status_code in {200, 302, 403, 404}, asked
            assert "bravo" not in seen(answer), asked


def test_pages_that_are_no_models_take_signing_in(client, estates, who):
    for route, name in PAGES:
        if split(name) or not name or name in OF_A_ROW:
            continue
        with undone():
            answer = client.get(path_of(route, estates[1][MODELS["auth.user"]]))
            assert answer.status_code < 500, route
            needs = SITE[name]
            if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED and needs != ANYBODY:
                answer = client.post(answer.request["PATH_INFO"])
            if who in {"anonymous", "retired", "no operator"} and needs != ANYBODY:
                assert answer.status_code in {302, 403, 404}, f"{who} {route}"
                if answer.status_code == HTTPStatus.FOUND:
                    assert "/login" in answer.url or "/account/" in answer.url, route
            if needs >= VIEWER and RANK[who] < needs:
                assert not opened(answer), f"{who} {route}"
            if who != "superuser":
                assert "bravo" not in seen(answer)


def test_a_push_is_composed_by_whom_the_table_says_and_for_no_other_app(client, estates, who):
    own, _, other, _, _ = estates
    before = snapshot(other)
    for route, name in PAGES:
        if not name.startswith("compose"):
            continue
        asked_at = 0
        for app, mine in ((own, True), (other, who == "superuser")):
            said = {"app": app.pk, "kind": "segments", "rule": "{}", "test_installs": "nobody"}
            for ask in (client.get, client.post):
                with undone():
                    answer = ask(path_of(route), said)
                    told = f"{who} {name} {app}: {answer.status_code}"
                    if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                        continue
                    asked_at += 1
                    # it may be told what is missing from its form: it was let in
                    let_in = answer.status_code in {200, HTTPStatus.UNPROCESSABLE_ENTITY}
                    assert let_in == (mine and RANK[who] >= SITE[name]), told
                    if who != "superuser":
                        assert "bravo" not in seen(answer), told
        assert asked_at == 2, f"{name} is asked one way, for either app"
    assert snapshot(other) == before


def test_a_role_in_one_app_gives_nothing_in_another(client, estates):
    """An admin here who may look there: what both lists show together is not deleted together."""
    _, rows, other, theirs, people = estates
    people["admin"].memberships.create(app=other, role=Role.VIEWER)
    client.force_login(people["admin"])
    before = snapshot(other)
    for path, model, action, _ in actions():
        chosen = [rows[model].pk, theirs[model].pk]
        form = {"action": action, "post": "yes", "_selected_action": chosen}
        with undone():
            client.post(path, form)
            assert snapshot(other) == before, f"{path} {action}"
    for route, name in PAGES:
        if (found := split(name)) and found[1] in {"change", "delete"}:
            client.post(path_of(route, theirs[MODELS[found[0]]]), {"post": "yes", "name": "taken"})
            assert snapshot(other) == before, name


def test_rows_of_a_signed_in_retired_operator_are_nobodys(client, estates):
    client.force_login(estates[-1]["admin"])
    assert client.get("/admin/crm/user/").status_code == HTTPStatus.OK
    estates[-1]["admin"].memberships.all().delete()
    assert client.get("/admin/crm/user/").status_code == HTTPStatus.FORBIDDEN
    type(estates[-1]["admin"]).objects.filter(username="admin").update(is_active=False)
    assert "/login" in client.get("/admin/crm/user/").url
    assert App.objects.count() == 2
