"""Reports of evaluations: listed with their figures, opened by name alone, able to do nothing."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import httpx
import pytest

from core.errors import NotFoundError
from service.reports import list_reports, page_policy, report_page
from tests.evaluation.report_folders import write_queries
from tests.service.closed_gallery import bearer
from tests.service.running import error_of, running


def write(folder: Path, name: str, *, page: str = "<p>a page</p>", **fields: object) -> Path:
    """Write the files of a report that the service reads."""
    report = folder / name
    report.mkdir(parents=True)
    content = {"schema_version": 2, "kind": "score", "metrics": {}, "provenance": {}, **fields}
    (report / "metrics.json").write_text(json.dumps(content))
    (report / "report.html").write_text(page)
    return report


def test_a_report_of_the_evaluation_is_listed_with_its_figures(tmp_path: Path) -> None:
    """Kind, model, number of queries, and the numbers that matter with their intervals."""
    write_queries(tmp_path / "first", {"hit@1": [1, 0, 1, 1], "recall@10": [1, 1, 1, 0.5]})

    (found,) = list_reports(tmp_path)

    assert (found["name"], found["kind"], found["model"], found["n"]) == (
        "first",
        "retrieval",
        "tiny",
        4,
    )
    metrics = found["metrics"]
    assert isinstance(metrics, list)
    assert [metric["name"] for metric in metrics if isinstance(metric, dict)] == [
        "recall@10",
        "hit@1",
    ]
    assert isinstance(metrics[1], dict)
    assert metrics[1]["value"] == 0.75
    assert found["problem"] is None
    assert found["page_url"] == "/v1/reports/first/page"


def test_the_newest_report_comes_first(tmp_path: Path) -> None:
    """By the time of its figures."""
    for place, name in enumerate(["a", "c", "b"]):
        os.utime(write(tmp_path, name) / "metrics.json", (place, place))

    assert [one["name"] for one in list_reports(tmp_path)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"schema_version": 1}', "schema version 1, and this release reads 2"),
        ('{"schema_version": 3, "metrics": []}', "schema version 3"),
        ("[1]", "no JSON object"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_report_that_cannot_be_read_says_why(tmp_path: Path, content: str, reason: str) -> None:
    """The others are listed all the same, and its page can be opened."""
    write(tmp_path, "good")
    (write(tmp_path, "odd") / "metrics.json").write_text(content)

    found = {str(one["name"]): one for one in list_reports(tmp_path)}

    assert reason in str(found["odd"]["problem"])
    assert found["odd"]["page_url"] is not None
    assert found["good"]["problem"] is None


def test_odd_figures_are_left_out(tmp_path: Path) -> None:
    """A metric that is no object, a number that is none."""
    metrics = {"a": 3, "b": {"value": "high", "ci_low": True, "unit": 5, "n": 2}}
    write(tmp_path, "odd", metrics=metrics, provenance=None)

    (found,) = list_reports(tmp_path)

    assert found["metrics"] == [
        {"name": "b", "value": None, "ci_low": None, "ci_high": None, "unit": "5"}
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"schema_version": 2, "metrics": {"a": {"value": 1%s}}}' % ("0" * 400), True),
        (
            '{"schema_version": 2, "kind": "\\ud800", "metrics": {"\\udfff": {"unit": "\\ud801"}}}',
            False,
        ),
        ('{"schema_version": 2, "metrics": {"a": {"n": 1%s}}}' % ("0" * 400), False),
    ],
    ids=["value", "halves", "count"],
)
def test_what_json_allows_and_nobody_can_send_harms_no_list(
    tmp_path: Path, text: str, *, problem: bool
) -> None:
    """Numbers beyond all floats, halves of characters; and a folder whose name is no text."""
    reports = tmp_path / "reports"
    write(reports, "good")
    (write(reports, "odd") / "metrics.json").write_text(text)
    write(reports, "bytes").rename(reports / os.fsdecode(b"\xff\xfe"))
    with running(tmp_path, reports_folder=str(reports)) as client:
        listed = client.get("/v1/reports").json()["reports"]

    found = {one["name"]: one["problem"] is not None for one in listed}
    assert found == {"good": False, "odd": problem}


def test_only_folders_with_figures_are_reports(tmp_path: Path) -> None:
    """Files, hidden folders, other folders and links are none; nor is what is not there."""
    write(tmp_path / "elsewhere", "secret")
    reports = tmp_path / "reports"
    write(reports, ".hidden")
    (reports / "empty").mkdir()
    (reports / "file").write_text("{}")
    (reports / "linked").symlink_to(tmp_path / "elsewhere" / "secret")
    (write(reports, "hollow") / "metrics.json").unlink()
    (reports / "hollow" / "metrics.json").symlink_to(
        tmp_path / "elsewhere" / "secret" / "metrics.json"
    )

    assert list_reports(reports) == []
    assert list_reports(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "name",
    ["../elsewhere/secret", "..", ".", "", "linked", "/etc", "first/", "first/../first", "first\0"],
)
def test_nothing_outside_is_opened(tmp_path: Path, name: str) -> None:
    """A name of the list, or nothing."""
    write(tmp_path / "elsewhere", "secret")
    reports = tmp_path / "reports"
    write(reports, "first")
    (reports / "linked").symlink_to(tmp_path / "elsewhere" / "secret")

    with pytest.raises(NotFoundError):
        report_page(reports, name)


def test_a_page_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """Not even when the report itself is one."""
    (tmp_path / "passwords").write_text("secret")
    page = write(tmp_path / "reports", "first") / "report.html"
    page.unlink()
    page.symlink_to(tmp_path / "passwords")

    (found,) = list_reports(tmp_path / "reports")

    assert found["page_url"] is None
    with pytest.raises(NotFoundError, match="no page"):
        report_page(tmp_path / "reports", "first")


def test_the_policy_allows_the_pages_own_style_and_no_more() -> None:
    """The sha256 of what stands between the tags, as browsers compute it."""
    policy = page_policy(b"<style>p{}</style><script>alert(1)</script>")

    assert policy.startswith("sandbox; default-src 'none'; style-src 'sha256-")
    assert policy.count("sha256-") == 1
    assert "script-src" not in policy
    assert "unsafe" not in policy


def test_reports_over_http(tmp_path: Path) -> None:
    """The list, and a page that may be framed by ours and do nothing."""
    write(tmp_path / "reports", "a b")
    with running(tmp_path, reports_folder=str(tmp_path / "reports")) as client:
        (found,) = client.get("/v1/reports").json()["reports"]
        page = client.get(found["page_url"])
        error_of(client.get("/v1/reports/..%2Freports/page"), 404)
        error_of(client.get("/v1/reports/nobody/page"), 404)

    assert page.text == "<p>a page</p>"
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["x-frame-options"] == "SAMEORIGIN"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert re.search(r"sandbox[^;]*allow", policy) is None


def test_without_the_setting_there_are_no_reports(tmp_path: Path) -> None:
    """And the answer says that none are shown."""
    with running(tmp_path) as client:
        assert client.get("/v1/reports").json() == {"shown": False, "reports": []}
        error_of(client.get("/v1/reports/first/page"), 404)


def test_reports_need_a_key_where_the_gallery_has_keys(closed: httpx.Client) -> None:
    """The scope read is enough to look, and not enough to mark."""
    headers = bearer("read")
    body = {"query": "red", "marks": [{"item_id": "red", "grade": 1}]}

    error_of(closed.get("/v1/reports"), 401)
    assert closed.get("/v1/reports", headers=headers).status_code == 200
    refused = closed.put("/v1/judgements", json=body, headers=headers)
    assert error_of(refused, 403)["code"] == "scope"
