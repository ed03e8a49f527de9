"""The composer's pages, and what its scripts ask while somebody types."""

import json
from typing import Any
from uuid import UUID, uuid4

from django.contrib import admin
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from crm import clock
from crm.commands.segments import WriteSegment, create_segment
from crm.errors import DomainError
from crm.hurry import TookTooLong, within
from crm.models import App, Channel, Install, Segment
from crm.models.membership import Role
from crm.rule_widget import vocabulary_json
from crm.segments.explain import explain
from crm.segments.rules import BadRule, Rule, parse
from delivery.commands.once import send_once
from delivery.commands.send import refuse_unfit
from delivery.models import Notification
from delivery.providers.contract import Transport
from delivery.providers.fitness import sizes_of
from delivery.targeting.segments import count
from gateway.console.compose.composition import (
    Composition,
    Reviewed,
    refusal_by_field,
    rehearse,
    review,
)
from gateway.console.compose.outlook import PATIENCE, PROVIDERS, TOO_SLOW, outlook_of
from gateway.console.doors import apps_for, find_app, find_notification, senders
from gateway.console.words import audience_words, preview_of
from gateway.rest.storable import objection

SHOWN_NAMES = 20
MOST_TESTED = 20


@require_GET
@senders
def compose(request: HttpRequest) -> HttpResponse:
    """Show an empty form, or one filled with what was sent before (`?from=`)."""
    apps = list(apps_for(request, Role.SENDER))
    earlier = _earlier(request)
    asked = request.GET.get("app")
    app = apps[0]
    if earlier is not None:
        app = earlier.app
    elif asked is not None:
        app = find_app(request, asked, Role.SENDER)
    again = None if earlier is None else _message_again(earlier)
    return _page(request, Composition(app, message=again))


@require_POST
@senders
def check(request: HttpRequest) -> HttpResponse:
    """Say what is wrong with a message, and how much of each provider's limit it fills."""
    composed = Composition(_app(request), request.POST)
    errors = {name: list(map(str, why)) for name, why in composed.message.errors.items()}
    sizes: dict[str, Any] = {}
    if not errors:
        message = composed.message.message
        for transport, size in sizes_of(message).items():
            sizes[transport.value] = {"used": size.used, "limit": size.limit}
        try:
            refuse_unfit(message)
        except DomainError as error:
            errors = dict(refusal_by_field(error))
    return JsonResponse({"errors": errors, "sizes": sizes})


@require_POST
@senders
def reached(request: HttpRequest) -> HttpResponse:
    """Count whom an audience reaches, and when and how fast it would be sent to."""
    app = _app(request)
    composed = Composition(app, request.POST)
    errors = composed.audience.errors or composed.schedule.errors
    if errors:
        told = {name: list(map(str, why)) for name, why in errors.items()}
        return JsonResponse({"errors": told}, status=422)
    found = outlook_of(composed.audience.audience, composed.schedule.schedule, app=app)
    words = audience_words(composed.audience.audience, app_id=app.pk)
    return JsonResponse({**found.as_json(), "words": words})


@require_POST
@senders
def rule(request: HttpRequest) -> HttpResponse:
    """Say a rule in words and count whom it is true of now, or name each bad node."""
    app = _app(request)
    try:
        asked = _rule(request)
    except BadRule as bad:
        return JsonResponse({"errors": bad.reasons}, status=422)
    told: dict[str, Any] = {"words": explain(asked), "counts": None, "slow": ""}
    try:
        with within(PATIENCE):
            told["counts"] = count(asked, app_id=app.pk, now=clock.now())._asdict()
    except TookTooLong:
        told["slow"] = TOO_SLOW
    return JsonResponse(told)


@require_POST
@senders
def segment(request: HttpRequest) -> HttpResponse:
    """Keep a rule as a segment under a name of its own."""
    app = _app(request)
    name = request.POST.get("name", "").strip()
    if not 1 <= len(name) <= 255 or objection(name):
        return JsonResponse(
            {"errors": {"name": ["Give it a name of 1 to 255 letters."]}}, status=422
        )
    try:
        ask = WriteSegment(name=name, rule=_document(request))
        made = create_segment(app=app, ask=ask)
    except DomainError as error:
        return JsonResponse({"errors": error.reasons}, status=422)
    return JsonResponse({"id": made.pk, "name": made.name}, status=201)


@require_GET
@senders
def names(request: HttpRequest) -> HttpResponse:
    """List a few segments or channels whose name begins with what was typed."""
    app = find_app(request, request.GET.get("app"), Role.SENDER)
    said = request.GET.get("q", "").replace("\0", "")[:255]
    kind = request.GET.get("kind")
    if kind == "segments":
        found: Any = Segment.objects.filter(app=app, name__istartswith=said).order_by("name")
    elif kind == "channels":
        found = Channel.objects.filter(app=app)
        found = (found.filter(name__istartswith=said) | found.filter(uuid=said)).order_by("name")
        found = found if said else Channel.objects.filter(app=app).order_by("-pk")
    else:
        raise Http404
    listed = [{"id": one.pk, "name": str(one)} for one in found[:SHOWN_NAMES]]
    return JsonResponse({"names": listed})


@require_POST
@senders
def test(request: HttpRequest) -> HttpResponse:
    """Send the message, as it is, to a few installs at once."""
    app = _app(request)
    composed = Composition(app, request.POST)
    errors = {name: list(map(str, why)) for name, why in composed.message.errors.items()}
    uids = tuple(dict.fromkeys(request.POST.get("test_installs", "").replace("\0", "").split()))
    if not errors and (reason := _objection_to(uids, app)):
        errors = {"test_installs": [reason]}
    if errors:
        return JsonResponse({"errors": errors}, status=422)
    try:
        ask = composed.test(uids, operator=request.user.get_username())
        sent = send_once(ask, ticket=UUID(request.POST.get("test_ticket", "")))
    except ValueError:
        raise Http404 from None
    except DomainError as error:
        return JsonResponse({"errors": refusal_by_field(error)}, status=422)
    address = reverse("admin:send", args=[sent.notification.pk])
    return JsonResponse({"address": address, "installs": len(uids), "test_ticket": str(uuid4())})


@require_POST
@senders
def confirm(request: HttpRequest) -> HttpResponse:
    """Rehearse the send, and show all of what it would be before anything is stored."""
    app = _app(request)
    composed = Composition(app, request.POST)
    if composed.errors:
        return _page(request, composed, status=422)
    ask = composed.ask(operator=request.user.get_username())
    try:
        firings = rehearse(ask)
    except DomainError as error:
        return _page(request, composed, refused=refusal_by_field(error), status=422)
    return _review(request, composed, firings=firings)


@require_POST
@senders
def again(request: HttpRequest) -> HttpResponse:
    """Show a form that was reviewed, to be changed."""
    return _page(request, Composition(_app(request), request.POST))


@require_POST
@senders
def send(request: HttpRequest) -> HttpResponse:
    """Send what was reviewed, once, and go and watch it."""
    app = _app(request)
    composed = Composition(app, request.POST)
    if composed.errors:
        return _page(request, composed, status=422)
    try:
        reviewed = Reviewed.read(request.POST.get("reviewed", ""))
    except BadSignature:
        reviewed = None
    if reviewed is None or reviewed.app_id != app.pk:
        said = "This was not reviewed, or too long ago: look at it once more."
        return _page(request, composed, refused={"__all__": [said]}, status=422)
    if request.POST.get("typed", "").strip().replace(",", "") != reviewed.phrase:
        wrong = f"Type {reviewed.phrase} to send it."
        return _review(request, composed, reviewed=reviewed, wrong=wrong, status=422)
    try:
        ask = composed.ask(operator=request.user.get_username())
        sent = send_once(ask, ticket=reviewed.ticket)
    except DomainError as error:
        return _page(request, composed, refused=refusal_by_field(error), status=422)
    return HttpResponseRedirect(reverse("admin:send", args=[sent.notification.pk]))


def _app(request: HttpRequest) -> App:
    return find_app(request, request.POST.get("app"), Role.SENDER)


def _document(request: HttpRequest) -> Any:
    try:
        document = json.loads(request.POST.get("rule", ""))
    except (ValueError, RecursionError) as error:
        raise BadRule({"rule": [f"Is no JSON: {error}"]}) from error
    if (reason := objection(document)) is not None:
        raise BadRule({"rule": [reason]})
    return document


def _rule(request: HttpRequest) -> Rule:
    return parse(_document(request))


def _objection_to(uids: tuple[str, ...], app: App) -> str:
    if not uids:
        return "Name the installs to test on, one a line."
    if len(uids) > MOST_TESTED:
        return f"At most {MOST_TESTED} installs are a test."
    known = set(Install.objects.filter(app=app, uid__in=uids).values_list("uid", flat=True))
    unknown = [uid for uid in uids if uid not in known]
    return f"No such install: {unknown[0]}" if unknown else ""


def _earlier(request: HttpRequest) -> Notification | None:
    said = request.GET.get("from", "")
    if not said:
        return None
    if not said.isascii() or not said.isdecimal() or len(said) > 9:
        raise Http404
    found = find_notification(request, int(said), Role.SENDER)
    return None if "raw" in found.message or "in_app" in found.message else found


def _message_again(notification: Notification) -> dict[str, Any]:
    said = dict(notification.message)
    badge = said.pop("badge", None)
    if badge:
        said |= {"badge": badge["change"], "badge_count": badge["count"]}
    if "data" in said:
        said["custom"] = json.dumps(said.pop("data"), ensure_ascii=False, indent=1)
    said["buttons"] = "\n".join(f"{one['id']} = {one['text']}" for one in said.get("buttons", ()))
    return said


def _page(
    request: HttpRequest,
    composed: Composition,
    *,
    refused: Any = None,
    status: int = 200,
) -> HttpResponse:
    refused = refused or {}
    for name, reasons in refused.items():
        for form in (composed.message, composed.audience, composed.schedule):
            if name in form.fields or (name == "__all__" and form is composed.audience):
                for reason in reasons:
                    form.add_error(None if name == "__all__" else name, reason)
    context = {
        **admin.site.each_context(request),
        "title": "Compose",
        "apps": apps_for(request, Role.SENDER),
        "app": composed.app,
        "composed": composed,
        "chosen": _chosen(composed),
        "preview": _shown(composed),
        "vocabulary": vocabulary_json(),
        "test_ticket": uuid4(),
        "providers": [(Transport.APNS.value, "APNs"), (Transport.FCM.value, "FCM")],
    }
    return render(request, "console/compose/compose.html", context, status=status)


def _shown(composed: Composition) -> dict[str, Any]:
    form = composed.message
    said = {name: form[name].value() or "" for name in ("title", "body", "image")}
    texts = [
        line.partition("=")[2].strip() for line in (form["buttons"].value() or "").splitlines()
    ]
    return {**said, "buttons": [text for text in texts if text]}


def _chosen(composed: Composition) -> dict[str, list[tuple[int, str]]]:
    """Give the segments and channels that were picked, whatever else is wrong."""
    said, app = composed.said, composed.app
    found: dict[str, list[tuple[int, str]]] = {"segments": [], "channels": []}
    for name, model in (("segments", Segment), ("channels", Channel)):
        ids = [one for one in said.getlist(name) if one.isdecimal()] if said else []
        rows = model.objects.filter(app=app, pk__in=[int(one) for one in ids if len(one) < 10])
        found[name] = [(one.pk, str(one)) for one in rows.order_by("pk")]
    return found


def _review(
    request: HttpRequest,
    composed: Composition,
    *,
    firings: int | None = None,
    reviewed: Reviewed | None = None,
    wrong: str = "",
    status: int = 200,
) -> HttpResponse:
    app, said = composed.app, request.POST
    ask = composed.ask(operator=request.user.get_username())
    found = outlook_of(ask.audience, ask.schedule, app=app)
    reviewed = reviewed or review(app, found.devices)
    kept = [(name, value) for name in said for value in said.getlist(name)]
    ours = {"csrfmiddlewaretoken", "reviewed", "typed", "test_installs", "test_ticket"}
    context = {
        **admin.site.each_context(request),
        "title": "Review and send",
        "app": app,
        "ask": ask,
        "preview": preview_of(ask.message.as_json()),
        "outlook": found,
        "words": audience_words(ask.audience, app_id=app.pk),
        "sizes": [
            (PROVIDERS[t.value], size) for t, size in sizes_of(composed.message.message).items()
        ],
        "firings": firings,
        "reviewed": reviewed,
        "wrong": wrong,
        "kept": [(name, value) for name, value in kept if name not in ours],
    }
    return render(request, "console/compose/review.html", context, status=status)
