"""What a page of HTML holds, for tests that read it."""

from __future__ import annotations

from html.parser import HTMLParser


class Tags(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def count(self, tag):
        return sum(1 for name, _ in self.tags if name == tag)

    def images(self, alt):
        return [a for t, a in self.tags if t == "img" and a["alt"].startswith(alt)]
