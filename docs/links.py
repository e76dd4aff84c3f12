"""Follows the links of the built site: each leads to a place in a page, and nothing is fetched from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
"""What a browser loads by itself while it shows a page."""


class Page(HTMLParser):
    """The places and the links of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places, self.links, self.loads = set[str](), set[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, names, links and what is loaded."""
        found = {name: value for name, value in attrs if value is not None}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if (name := FETCHED.get(tag)) in found and found.get("rel") != "canonical":
            self.loads.add(found[name])


def broken(html: Path) -> tuple[int, list[str]]:
    """The number of pages in a folder, and one sentence for each link that leads nowhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(html.rglob("*.html"))}
    wrong = [said for path in pages for said in _of_page(html, path, pages)]
    styles = [(path, re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", path.read_text())) for path in html.rglob("*.css")]
    return len(pages), wrong + [f"{path.relative_to(html)} loads {url[4:]}" for path, found in styles for url in found]


def _of_page(html: Path, path: Path, pages: dict[Path, Page]) -> list[str]:
    page, here = pages[path], path.relative_to(html)
    outside = [url for url in sorted(page.loads) if urlsplit(url).scheme in ("http", "https") or url.startswith("//")]
    wrong = [f"{here} loads {url}" for url in outside]
    inside = {link: _missing(path, link, pages) for link in sorted((page.links | page.loads) - set(outside))}
    return wrong + [f"{here}: {link} leads to {said}" for link, said in inside.items() if said is not None]


def _missing(path: Path, link: str, pages: dict[Path, Page]) -> str | None:
    """What the link lacks, None if nothing or if it leads out of the site."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    target = target / "index.html" if target.is_dir() else target
    if not target.exists():
        return "no file"
    place = unquote(parts.fragment)
    known = {page.resolve(): found for page, found in pages.items()}.get(target)
    return f"no place {place!r}" if place and known is not None and place not in known.places else None
