"""What Kontur's documentation leaves open, and what an operator can run into, as switches."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Shape = Literal["2018", "2021", "2024"]


class KonturSwitches(BaseModel):
    """How the stand-in behaves where the real service is undocumented or changeable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shape: Literal["2018", "2021", "2024", "mixed"] = "2024"
    """Which year's answer shape is served; ``mixed`` gives each company one of the three."""
    shuffle: bool = True
    """Answer in an order of its own: the order of the answer is not promised."""
    malformed: Literal["length", "check_digits"] = "check_digits"
    """What makes a number malformed: a wrong length only, or wrong check digits too."""
    foreign_inn: Literal["malformed", "absent"] = "malformed"
    """Foreign companies (INN 99…) are not in ``req``; a client saw them refused like malformed ones."""
    both_params: Literal["union", "intersection", "inn"] = "union"
    """``inn`` and ``ogrn`` in one call: undocumented."""
    above_limit: Literal["refuse", "cut"] = "refuse"
    """More than 100 numbers in one call: undocumented."""

    key_expired: bool = False
    tariff: frozenset[str] = frozenset({"req", "egrDetails"})
    """Methods that the key's tariff includes; others are answered with 403."""
    limit: int = Field(default=100_000, ge=0)
    limit_type: Literal["LegalEntities", "Requests"] = "LegalEntities"
    """What is counted: distinct companies of the period (asking again is free), or calls."""
    exhausted_status: Literal[402, 403, 429] = 403
    """The answer once the quota is used up; clients disagree about the status."""

    max_calls: int | None = Field(default=None, ge=0)
    """Calls allowed per `window_seconds` before 429; none by default: the real number is unpublished."""
    window_seconds: float = Field(default=1.0, gt=0)
    retry_after: int | None = None
    """Seconds in the ``Retry-After`` header of a 429; whether the real service sends one is unverified."""
