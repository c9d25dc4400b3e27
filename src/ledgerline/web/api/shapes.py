"""What all documents of the API share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from ledgerline.documents import timestamp


class Document(BaseModel):
    """camelCase in JSON; a body with members that nobody knows is refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    def answer(self, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """As the answer itself: FastAPI would check what was just made."""
        body = self.model_dump_json(by_alias=True, exclude_none=True)
        return Response(body, status, headers, "application/json")


def _written(moment: datetime) -> str:
    at = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return timestamp(at) or ""


Moment = Annotated[datetime, PlainSerializer(_written, return_type=str)]
"""A moment in UTC, written with milliseconds as JavaScript does."""
