"""Domain → wire: a session, with whoever is signed in."""

from typing import Any

from crm.models import Session
from gateway.connectycube.moments import seconds, stamp
from gateway.connectycube.users.responses import user_body


def session_body(session: Session, token: str) -> dict[str, Any]:
    """Give a session; an application's own has no user."""
    timestamp = session.timestamp
    body: dict[str, Any] = {
        "id": session.pk,
        "user_id": session.user_id,
        "application_id": session.app_id,
        "token": token,
        "nonce": session.nonce,
        "ts": seconds(session.created_at) if timestamp is None else timestamp,
        "created_at": stamp(session.created_at),
        "updated_at": stamp(session.updated_at),
    }
    if session.user is not None:
        body["user"] = user_body(session.user)
    return {"session": body}
