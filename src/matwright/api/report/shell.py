"""The frame of every page: style, shaded balls and script inside it, nothing outside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources


def whole_page(title: str, body: str, balls: str = "", *, styles: Sequence[str] = ("style.css",)) -> str:
    """A page as HTML text.

    Args:
        title: for the window, not yet escaped.
        body: HTML.
        balls: SVG definitions that the pictures share (see `scene.ball`).
        styles: names of style sheets of this package.
    """
    hidden = 'width="0" height="0" style="position:absolute" aria-hidden="true"'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{''.join(map(_asset, styles))}</style></head>"
        f"<body><svg {hidden}><defs>{balls}</defs></svg>{body}<script>{_asset('viewer.js')}</script></body></html>\n"
    )


def section(title: str, lead: str, content: str) -> str:
    """A section under its heading; nothing where it has no content."""
    if not content:
        return ""
    paragraph = f'<p class="soft">{lead}</p>' if lead else ""
    return f"<section><h2>{title}</h2>{paragraph}{content}</section>"


def made_by(record: Mapping[str, object]) -> str:
    """What made the page, from the content of `run.json`."""
    text = escape(json.dumps(record, indent=2, ensure_ascii=False, default=str))
    return (
        f"<pre>{escape(str(record.get('command', '')))}</pre>"
        f"<details><summary>run.json</summary><pre>{text}</pre></details>"
    )


def _asset(name: str) -> str:
    return resources.files("matwright.api.report").joinpath(name).read_text(encoding="utf-8")
