"""Callers of the ConnectyCube dialect over HTTP."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.journeys.stack import exchange
from tests.replay import filled, steps

FORM = "application/x-www-form-urlencoded"


class CubeCallers:
    """An application's callers: nobody in particular, its own session, and two people's."""

    def __init__(self, url: str, app: dict[str, Any]) -> None:
        self._url = url
        self._opening = {"application_id": app["application_id"], "auth_key": app["auth_key"]}
        self._headers: dict[str, dict[str, str]] = {
            "nobody": {},
            "key": {"CB-AuthKey": app["auth_key"]},
        }
        self._headers["application"] = self._session()
        john = {"login": "john", "external_id": "crm-17", "tag_list": "doctor,vip"}
        self.known = {
            "app": app["application_id"],
            "auth_key": app["auth_key"],
            "john": self._sign_up(john),
            "jane": self._sign_up({"login": "jane"}),
        }
        self._headers["user"] = self._session(login="john", password="secret 1")
        self._headers["other"] = self._session(login="jane", password="secret 1")

    def ask(self, who: str, method: str, where: str, body: Any) -> tuple[int, bytes]:
        """Give status and body of an answer; text is sent as a form."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + where, data, method=method)
        request.add_header("Content-Type", "application/json")
        if isinstance(body, str):
            request.data = body.encode()
            request.add_header("Content-Type", FORM)
        for name, value in self._headers[who].items():
            request.add_header(name, value)
        return exchange(request)

    def take(self, path: Path, paths: set[str]) -> list[dict[str, Any]]:
        """Take those steps of an example that create something there; give the events made."""
        made: list[dict[str, Any]] = []
        for step in steps(path):
            if step["path"] not in paths or step["method"] != "POST":
                continue
            status, content = self.ask(
                step["as"], "POST", step["path"], filled(step["body"], self.known)
            )
            assert status == 201, content
            answer = json.loads(content)
            rows = answer if isinstance(answer, list) else [answer]
            made += [row["event"] for row in rows if "event" in row]
        return made

    def _session(self, **user: str) -> dict[str, str]:
        body = {**self._opening, "user": user} if user else self._opening
        status, content = self.ask("nobody", "POST", "/session", body)
        assert status == 201, content
        return {"CB-Token": json.loads(content)["session"]["token"]}

    def _sign_up(self, said: dict[str, str]) -> int:
        body = {"user": {**said, "password": "secret 1"}}
        status, content = self.ask("application", "POST", "/users", body)
        assert status == 201, content
        return int(json.loads(content)["user"]["id"])
