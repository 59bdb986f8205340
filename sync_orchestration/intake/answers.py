"""HTTP answers: JSON, and errors in the shape of REST."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from sync_orchestration.intake.json_text import to_bytes
from sync_orchestration.intake.kinds import CallError

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON."""
    return Response(to_bytes(value), status, headers, media_type="application/json")


def refusal(error: CallError) -> Response:
    """Return an error as REST tells it."""
    return answer({"error": {"message": error.message, **error.details()}}, error.kind.http, error.headers)
