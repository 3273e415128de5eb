"""``/v1/reports``: what ``sightline evaluate`` wrote, for the page."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.errors import NotFoundError
from core.types import JSONObject, JSONValue
from service.access import engine_of
from service.judgement_schemas import ReportsAnswer
from service.middleware import restore_slashes
from service.openapi import answers, refusals, succeeds
from service.reports import list_reports, page_policy, report_page
from service.responses import json_response

router = APIRouter(tags=["reports"])

_EXAMPLE: JSONObject = {
    "shown": True,
    "reports": [
        {
            "name": "first",
            "written_ms": 1780000000000,
            "kind": "retrieval",
            "model": "starter",
            "n": 500,
            "metrics": [
                {"name": "hit@1", "value": 0.61, "ci_low": 0.57, "ci_high": 0.65, "unit": "query"}
            ],
            "page_url": "/v1/reports/first/page",
            "problem": None,
        }
    ],
}
_PAGE: JSONObject = {"text/html": {"schema": {"type": "string"}}}


@router.get(
    "/v1/reports",
    summary="Reports of evaluations",
    responses=answers(_EXAMPLE, model=ReportsAnswer),
)
async def get_reports(request: Request) -> Response:
    """Return the reports that lie in the folder of the setting `reports_folder`, newest first."""
    engine = engine_of(request)
    return json_response(await engine.workers.run(_list, engine.settings.reports_folder))


@router.get(
    "/v1/reports/{name}/page",
    summary="The page of a report",
    response_class=Response,
    responses={200: succeeds(_PAGE), **refusals((404,))},
)
async def get_report_page(request: Request, name: str) -> Response:
    """Return the page of a report, to be shown in a frame: it may do nothing but be looked at."""
    engine = engine_of(request)
    folder = engine.settings.reports_folder
    if folder is None:
        raise NotFoundError("this service shows no reports (setting reports_folder)", param="name")
    page = await engine.workers.run(report_page, folder, restore_slashes(name))
    headers = {
        "content-security-policy": page_policy(page),
        "x-frame-options": "SAMEORIGIN",
        "cache-control": "no-cache",
    }
    return Response(page, media_type="text/html", headers=headers)


def _list(folder: Path | None) -> JSONObject:
    reports: list[JSONValue] = [] if folder is None else [*list_reports(folder)]
    return {"shown": folder is not None, "reports": reports}
