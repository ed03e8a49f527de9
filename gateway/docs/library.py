"""The pages of `docs/` as HTML, their links leading to one another under `/docs/`."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

FOLDER = Path(__file__).parent.parent.parent / "docs"
PLACE = "/docs/"
PAGE = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)?")
PICTURE = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)?\.(png|svg)")
MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}

SHELVES: Mapping[str, Sequence[str]] = {
    "Start": ("quick-start", "concepts", "migrating-from-kumulos", "migrating-from-connectycube"),
    "Use": ("segments", "composing", "why", "idempotency", "webhooks"),
    "Run": (
        "deploying",
        "operations",
        "admin",
        "access",
        "capacity",
        "reliability",
        "threat-model",
        "simulator",
    ),
    "Look up": ("compat/kumulos", "compat/connectycube", "glossary"),
    "Build": ("architecture", "adding-a-provider"),
}
"""Which page stands where; decision records stand behind them all."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it is, what it is called, and its HTML."""

    name: str
    title: str
    html: str

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"{PLACE}{self.name}/"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Pages that belong together."""

    title: str
    pages: Sequence[Page]


def find_page(name: str) -> Page | None:
    """Give a page by its name below `docs/`, without the `.md`; None where there is none."""
    return _read(name) if PAGE.fullmatch(name) else None


def find_picture(name: str) -> tuple[bytes, str] | None:
    """Give a picture of the pages, and its media type; None where there is none."""
    path = FOLDER / name
    if not PICTURE.fullmatch(name) or not path.is_file():
        return None
    return path.read_bytes(), MEDIA[path.suffix]


@lru_cache(maxsize=1)
def shelves() -> Sequence[Shelf]:
    """Give all pages in the order one would read them."""
    decisions = sorted(path.stem for path in (FOLDER / "adr").glob("*.md"))
    named = {**SHELVES, "Decisions": [f"adr/{stem}" for stem in decisions]}
    found = {title: [_read(name) for name in names] for title, names in named.items()}
    return [Shelf(title, [page for page in pages if page]) for title, pages in found.items()]


@lru_cache(maxsize=256)
def _read(name: str) -> Page | None:
    path = FOLDER / f"{name}.md"
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    tokens = _markdown().parse(text)
    for token in _all(tokens):
        _lead(token, folder=posixpath.dirname(name))
        if align := token.attrs.pop("style", None):  # which the page's policy would not apply
            token.attrs["class"] = str(align).removeprefix("text-align:")
    html = str(_markdown().renderer.render(tokens, _markdown().options, {}))
    title = re.search(r"(?m)^# (.+)$", text)
    return Page(name, title[1].strip() if title else name, html)


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    # no HTML of its own: a page is text
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return markdown.use(anchors_plugin, max_level=3, slug_func=slug)


def slug(heading: str) -> str:
    """Give a heading's anchor, as Git hosts make them."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])


def _lead(token: Token, *, folder: str) -> None:
    """Let a link or a picture lead where its page or file is served.

    What is outside `docs/` is not served, and a link to it is none.
    """
    if token.type == "image":
        token.attrs["src"] = f"{PLACE}files/{_beside(folder, str(token.attrs['src']))}"
    elif token.type == "link_open":
        target, _, anchor = str(token.attrs["href"]).partition("#")
        if re.match(r"[a-z]+:|/", target) or not target:
            return
        name = _beside(folder, target).removesuffix(".md")
        known = _is_served(name)
        address = f"{PLACE}{name}/" + (f"#{anchor}" if anchor else "")
        token.attrs = {"href": address} if known else {"class": "elsewhere"}


def _beside(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(folder, target))


def _is_served(name: str) -> bool:
    return PAGE.fullmatch(name) is not None and (FOLDER / f"{name}.md").is_file()
