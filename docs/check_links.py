"""Check the built pages, without a network: `python docs/check_links.py [docs/_build/html]`.

Links, anchors, images and redirects lead somewhere; nothing is loaded from elsewhere; every page is reached from the
index within two clicks and leads to at least three other places.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

MIN_LINKS = 3
MAX_CLICKS = 2
MADE_BY_SPHINX = ("genindex.html", "search.html", "py-modindex.html")
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADING_LINKS = ("stylesheet", "preload", "icon", "shortcut icon", "prefetch", "preconnect")
IMPORT = re.compile(r"(?:@import\s+|url\()\s*['\"]?((?:https?:)?//[^'\")]+)")


@dataclass
class Page:
    """What one HTML file refers to, and the anchors it has."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    """Of the whole page."""
    body_links: list[str] = field(default_factory=list)
    """Of its text, without navigation and headings' own anchors."""
    loads: list[str] = field(default_factory=list)
    refresh: str | None = None
    """Where a redirect leads."""


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.depth_in_body = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "article":
            self.depth_in_body += 1
        self.page.ids.update(value for name in ("id", "name") if (value := values.get(name)) and tag != "meta")
        if tag == "a" and "href" in values:
            self.page.links.append(values["href"])
            if self.depth_in_body and "headerlink" not in values.get("class", ""):
                self.page.body_links.append(values["href"])
        elif tag == "link" and values.get("rel", "").lower() in LOADING_LINKS:
            self.page.loads.append(values.get("href", ""))
        elif values.get(LOADING.get(tag, "")):
            self.page.loads.append(values[LOADING[tag]])
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.page.refresh = values.get("content", "").partition("url=")[2] or None

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self.depth_in_body -= 1


def read_page(path: Path) -> Page:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


class Site:
    """All pages of a built documentation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        everything = {path: read_page(path) for path in sorted(self.folder.rglob("*.html"))}
        self.redirects = {path: page for path, page in everything.items() if page.refresh}
        self.pages = {path: page for path, page in everything.items() if not page.refresh}

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.folder))

    def target(self, path: Path, link: str) -> tuple[Path, str] | None:
        """The file and anchor that a link of a page means; None if it leads outside."""
        address, anchor = urldefrag(link)
        parts = urlparse(address)
        if parts.scheme or parts.netloc:
            return None
        target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
        return target / "index.html" if target.is_dir() else target, unquote(anchor)

    def problems(self) -> Iterator[str]:
        """Everything that is wrong, as `file: what`."""
        if not self.pages:
            yield f"{self.folder}: there is no page"
            return
        for path, page in self.pages.items():
            yield from self.broken_links(path, page)
            yield from self.foreign_loads(path, page)
        for path, page in self.redirects.items():
            found = self.target(path, page.refresh or "")
            if found is None or found[0] not in self.pages:
                yield f"{self.name(path)}: redirects to {page.refresh}, which is not there"
        yield from self.foreign_imports()
        yield from self.lonely()

    def broken_links(self, path: Path, page: Page) -> Iterator[str]:
        for link in [*page.links, *(load for load in page.loads if load)]:
            found = self.target(path, link)
            if found is None or link in ("", "#"):
                continue
            target, anchor = found
            if not target.is_relative_to(self.folder) or not target.is_file():
                yield f"{self.name(path)}: {link} leads to no file"
            elif anchor and target.suffix == ".html" and anchor not in self.anchors(target):
                yield f"{self.name(path)}: {link} leads to no anchor"

    def anchors(self, target: Path) -> set[str]:
        page = self.pages.get(target)
        return page.ids if page else set()

    def foreign_loads(self, path: Path, page: Page) -> Iterator[str]:
        for address in page.loads:
            if urlparse(address).netloc:
                yield f"{self.name(path)}: loads {address} from elsewhere"

    def foreign_imports(self) -> Iterator[str]:
        for path in sorted(self.folder.rglob("*.css")):
            for address in IMPORT.findall(path.read_text(encoding="utf-8", errors="replace")):
                yield f"{self.name(path)}: loads {address} from elsewhere"

    def lonely(self) -> Iterator[str]:
        """Pages that few links leave, and pages that are too far from the index."""
        written = {path: page for path, page in self.pages.items() if self.name(path) not in MADE_BY_SPHINX}
        neighbours = {path: self.neighbours(path, page) & set(written) for path, page in written.items()}
        near = reached = {self.folder / "index.html"}
        for _ in range(MAX_CLICKS):
            near = {target for path in near for target in neighbours.get(path, set())}
            reached = reached | near
        for path, page in written.items():
            leaving = {link for link in page.body_links if not link.startswith("#") and self.target(path, link)}
            if len(leaving) < MIN_LINKS:
                yield f"{self.name(path)}: {len(leaving)} internal links in its text, at least {MIN_LINKS} are needed"
            if path not in reached:
                yield f"{self.name(path)}: more than {MAX_CLICKS} clicks away from the index"

    def neighbours(self, path: Path, page: Page) -> set[Path]:
        found = (self.target(path, link) for link in page.body_links)
        return {target for target, _ in filter(None, found) if target != path}


def main(words: list[str]) -> int:
    folder = Path(words[0]) if words else Path(__file__).parent / "_build" / "html"
    site = Site(folder)
    problems = list(site.problems())
    for problem in problems:
        print(problem, file=sys.stderr)
    links = sum(len(page.links) for page in site.pages.values())
    print(f"{len(site.pages)} pages, {links} links, {len(site.redirects)} redirects: {len(problems)} problems")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
