"""Events in their order, as receivers see them: slices of the ledger become one event a push."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import orjson

from crm.errors import Invalid
from delivery.models.webhook import LANES, Topic
from delivery.providers.contract import known_as
from delivery.statement import fetch_rows

CURSOR = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,10}))?")


class Position(NamedTuple):
    """A place in an app's events: the number of one, and the token within it, where it has many."""

    seq: int
    part: int = 0

    def __str__(self) -> str:
        return f"{self.seq}.{self.part}" if self.part else str(self.seq)


BEGINNING = Position(0)


def read_position(text: str, *, field: str = "after") -> Position:
    """Give the position a caller names: the id of an event, or 0; raises `Invalid`."""
    found = CURSOR.fullmatch(text)
    if found is None:
        raise Invalid("must be the id of an event, or 0 for the first one kept", field=field)
    return Position(int(found[1]), int(found[2] or 0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened. Those with the same subject, an install, are told in their order."""

    position: Position
    topic: str
    at: datetime
    subject: int
    data: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Give what a receiver sees; its id is the same however often it is told."""
        return {
            "id": str(self.position),
            "type": self.topic,
            "timestamp": _said(self.at),
            "data": self.data,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A stretch of events in order, and where it ends; None where there are none."""

    events: Sequence[Event]
    end: Position | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Which events of an app: of some topics, after a position, in one lane or in all."""

    app_id: int
    topics: Collection[str]
    after: Position
    until: Position | None = None
    lane: int | None = None


# From each lane no more than is wanted of all; then no more slices than hold so many tokens. Of the
# first slice only what comes after the position counts.
READ = """
SELECT seq, topic, install_id, occurrence_id, day, token_ids, body, at
  FROM (SELECT *, sum(size) OVER (ORDER BY seq) - size AS before
          FROM (SELECT found.*, coalesce(cardinality(token_ids), 1) AS size
                  FROM unnest(%(lanes)s::int[]) AS wanted (lane), LATERAL (
                       SELECT seq, topic, install_id, occurrence_id, day, body, at,
                              CASE WHEN seq = %(seq)s THEN ARRAY(
                                   SELECT token FROM unnest(token_ids) token
                                    WHERE token > %(part)s ORDER BY token)
                                   ELSE token_ids END AS token_ids
                         FROM delivery_webhookevent
                        WHERE app_id = %(app)s AND lane = wanted.lane AND seq >= %(seq)s
                          AND (seq > %(seq)s OR token_ids[cardinality(token_ids)] > %(part)s)
                          AND (%(until)s::bigint IS NULL OR seq <= %(until)s)
                          AND topic = ANY(%(topics)s::text[])
                        ORDER BY seq LIMIT %(most)s) found) sized) placed
 WHERE before < %(most)s
 ORDER BY seq
"""


class Row(NamedTuple):
    """A row of the outbox."""

    seq: int
    topic: str
    install_id: int | None
    occurrence_id: int | None
    day: date | None
    token_ids: list[int] | None
    body: str | None  # JSON
    at: datetime


def read_events(stretch: Stretch, *, most: int, keep_subject: int | None = None) -> Page:
    """Give the next events of a stretch, at most so many; with `keep_subject` those of one only."""
    places = _places(stretch, most=most)
    if not places:
        return Page(events=[], end=None)
    pushes = _pushes(places, install=keep_subject)
    events = [e for place, row in places if (e := _event(place, row, pushes)) is not None]
    if keep_subject is not None:
        events = [e for e in events if e.subject == keep_subject]
    return Page(events=events, end=places[-1][0])


def _places(stretch: Stretch, *, most: int) -> list[tuple[Position, Row]]:
    """Give the positions of a stretch, each with its row."""
    facts = {
        "app": stretch.app_id,
        "lanes": list(range(LANES)) if stretch.lane is None else [stretch.lane],
        "seq": stretch.after.seq,
        "part": stretch.after.part,
        "until": stretch.until.seq if stretch.until else None,
        "topics": list(stretch.topics),
        "most": most,
    }
    rows = (Row(*row) for row in fetch_rows(READ, facts))
    places = [
        (Position(row.seq, part), row)
        for row in rows
        for part in ([0] if row.token_ids is None else row.token_ids)
    ]
    if stretch.until is not None:
        places = [(place, row) for place, row in places if place <= stretch.until]
    return places[:most]


PUSHES = """
SELECT d.token_id, d.install_id, d.verdict, d.reason, d.provider_ref, d.at, o.notification_id,
       i.uid, u.uid, t.transport, t.value
  FROM delivery_delivery d
  JOIN delivery_occurrence o ON o.id = d.occurrence_id
  LEFT JOIN crm_install i ON i.id = d.install_id
  LEFT JOIN crm_user u ON u.id = i.user_id
  LEFT JOIN crm_devicetoken t ON t.id = d.token_id
 WHERE d.day = %(day)s AND d.occurrence_id = %(occurrence)s AND d.token_id = ANY(%(tokens)s::int[])
   AND (%(install)s::bigint IS NULL OR d.install_id = %(install)s)
"""


class Push(NamedTuple):
    """What the ledger says of one push, and of whose it was."""

    token_id: int
    install_id: int | None
    verdict: str
    reason: str
    provider_ref: str
    at: datetime
    notification_id: int
    install_uid: str | None
    user_uid: str | None
    transport: str | None
    address: str | None


Pushes = Mapping[tuple[int, int], Push]


def _pushes(places: Iterable[tuple[Position, Row]], *, install: int | None) -> Pushes:
    """Give what the ledger has, by occurrence and token; each occurrence is asked for once."""
    wanted: dict[tuple[int, date], set[int]] = defaultdict(set)
    for place, row in places:
        if row.token_ids is not None and row.occurrence_id is not None and row.day is not None:
            wanted[row.occurrence_id, row.day].add(place.part)
    found: dict[tuple[int, int], Push] = {}
    only = install if install is not None and install > 0 else None
    for (occurrence, day), tokens in wanted.items():
        facts = {"day": day, "occurrence": occurrence, "tokens": list(tokens), "install": only}
        for push in map(Push._make, fetch_rows(PUSHES, facts)):
            found[occurrence, push.token_id] = push
    return found


def _event(place: Position, row: Row, pushes: Pushes) -> Event | None:
    """Give what is told of one place; None where the ledger has forgotten it."""
    if row.token_ids is None:
        subject = row.install_id or 0
        body = orjson.loads(row.body or "{}")
        return Event(position=place, topic=row.topic, at=row.at, subject=subject, data=body)
    push = pushes.get((row.occurrence_id or 0, place.part))
    if push is None:
        return None
    told = _outcome if row.topic == Topic.OUTCOME else _death
    return Event(
        position=place,
        topic=row.topic,
        at=push.at,
        subject=push.install_id or -push.token_id,
        data=told(push, row),
    )


def _outcome(push: Push, row: Row) -> dict[str, Any]:
    return {
        "notificationId": push.notification_id,
        "occurrenceId": row.occurrence_id,
        **_device(push),
        "outcome": push.verdict,
        "reason": push.reason,
        "providerId": known_as(
            push.provider_ref,
            verdict=push.verdict,
            transport=push.transport,
            occurrence_id=row.occurrence_id or 0,
            token_id=push.token_id,
        ),
    }


def _death(push: Push, row: Row) -> dict[str, Any]:
    del row
    return {
        "notificationId": push.notification_id,
        **_device(push),
        "token": push.address,
        "reason": push.reason,
    }


def _device(push: Push) -> dict[str, Any]:
    return {
        "installId": push.install_uid,
        "userId": push.user_uid,
        "tokenId": push.token_id,
        "transport": push.transport,
    }


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
