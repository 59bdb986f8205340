"""Texts from outside as one plain line: nothing in them forges a line of a log, a terminal's colours or a direction."""

import re

# C0 and C1 controls (ESC and CSI among them), line and paragraph separators, and what turns the direction of writing.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BLANKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")


def plain(text: str) -> str:
    """Return a text with each control character replaced: what breaks a line by a blank, others by �."""
    return _CONTROLS.sub(lambda found: " " if found[0] in _BLANKS else "�", text)


def escaped_controls(json_text: str) -> str:
    r"""Return JSON with the control characters in its texts written as ``\uXXXX``; line breaks between them stay."""
    return _CONTROLS.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", json_text)
