"""No secret is compared in a time that tells how much of it was right.

Keys and tokens are looked up by their fingerprint, signatures compared by `hmac.compare_digest`.
This reads the source: whatever is named like a secret is never beside `==`, `!=` or `in`.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = ("gateway", "crm", "delivery", "templates_app")
SECRET = re.compile(
    r"(?i)(^|_)(secret|password|signature|token|fingerprint|digest|hmac|otp|csrf|sign|unseal"
    r"|auth_key|server_key|secret_key|device_key)$"
)

KNOWN = {
    "gateway/kumulos/devices/tokens.py: name in token": "a member of what a device registers",
    "crm/commands/accounts.py: user.password != old": "two stored hashes; nobody's guess",
    "crm/commands/user_devices.py: token not in known": "rows of devices",
    "delivery/commands/credentials.py: 'BEGIN CERTIFICATE' in ask.secret": "looks for public words",
    "delivery/providers/apns/access.py: 'BEGIN CERTIFICATE' in secret": "the same",
    "delivery/providers/fcm/bearer.py: token == self.token": "our own against our own",
    "delivery/providers/registry.py: kept.fingerprint == mark": "our own against our own",
}
"""Comparisons that look like one, and why each tells nobody anything."""


def names(node: ast.AST):
    """Give what a compared value is called: by its last name, key or function."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            yield name
        case ast.Call(func=function):
            yield from names(function)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from names(item)


def is_trivial(node: ast.AST) -> bool:
    """Say whether nobody's secret is on this side: a number, nothing, or an empty text."""
    return isinstance(node, ast.Constant) and not (isinstance(node.value, str) and node.value)


def comparisons(source: str):
    """Give the comparisons of a module that have a secret on a side."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        leaking = any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops)
        secret = any(SECRET.search(name) for side in sides for name in names(side))
        if leaking and secret and not any(map(is_trivial, sides)):
            yield ast.unparse(node)


def test_no_secret_is_compared_by_a_plain_operator():
    found = {
        f"{path.relative_to(ROOT)}: {said}"
        for package in PRODUCT
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
        for said in comparisons(path.read_text())
    }
    assert found == set(KNOWN)


@pytest.mark.parametrize(
    "leak",
    [
        "said == app.secret_key",
        "sign(text) != signature",
        "request.META['HTTP_CB_TOKEN'] == 'abc'.join(x)",
        "password in known",
        "fingerprint(key) == row.fingerprint",
    ],
)
def test_a_leak_would_be_seen(leak):
    assert list(comparisons(leak))


@pytest.mark.parametrize("fine", ["token == ''", "password is None", "hmac.compare_digest(a, b)"])
def test_what_is_none_is_let_by(fine):
    assert not list(comparisons(fine))
