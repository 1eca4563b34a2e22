"""The page of error codes: what each means and what the caller can do."""

from __future__ import annotations

from hstore_api.errors import error_codes

ADVICE = {
    "address_too_long": "Send long lists in a body: `POST /v1/predictions` takes what `GET` takes.",
    "bad_request": "Send JSON in UTF-8 with the header `Content-Type: application/json`.",
    "busy": "Ask again after the seconds in `Retry-After`.",
    "conflict": "Read the record as it is now; `detail` says what contradicts it.",
    "data_unavailable": "Tell the operator the correlation id; `hstore data check` names the file.",
    "forbidden": "Ask for a key with the scope that `detail` names; `GET /v1/me` lists those of yours.",
    "http_error": "Follow `detail`.",
    "idempotency_mismatch": "Take a new `Idempotency-Key` for another request.",
    "internal": "Tell the operator the correlation id, under which the log has the cause.",
    "invalid_formula": "Correct the formula; `detail` says at which sign reading stopped.",
    "invalid_input": "Correct what `detail` names; it says what is allowed.",
    "invalid_request": "Correct the parts that `errors` lists, each with its place.",
    "limit_reached": "Wait the seconds in `Retry-After`; `GET /v1/me` has the limits and what is left.",
    "method_not_allowed": "Use a method of the header `Allow`.",
    "model_unavailable": "Tell the operator the correlation id; `hstore models check` names the file.",
    "no_such_address": "Look the address up in the [routes](routes/index.md).",
    "not_acceptable": "Accept `application/json`, or a form that `detail` names.",
    "not_found": "Check the identifier. Records that the key may not see are answered so as well.",
    "not_installed": "Ask the operator to install the extra that `detail` names.",
    "request_under_way": "Wait the seconds in `Retry-After` and repeat the request with the same key.",
    "slow_answer": "Ask for less: a smaller page, fewer formulas, a filter; or start a [job](../how-to/jobs.md).",
    "store_unavailable": "Try again after the seconds in `Retry-After`; tell the operator if it stays.",
    "too_large": "Send the rows in parts, or as CSV, which may be larger than JSON.",
    "too_slow": "Send the body in less time, or in parts.",
    "unauthenticated": "Send a key in the header `X-API-Key`; [access](../how-to/access.md) says how to get one.",
    "unknown_name": "Take one of the names in `detail`; close ones come first.",
    "unsupported_media_type": "Send a media type that `detail` names.",
}
"""Code -> what the caller does about it."""

_SEEN = """$ curl -s http://127.0.0.1:8000/v1/predictions -H 'Content-Type: application/json' \\
    -d '{"property": "h2_capacity", "formulas": ["LaNi5"]}'
{"type": "urn:hstore:problem:unknown_name", "title": "Unknown name", "status": 422,
 "detail": "unknown property 'h2_capacity'; did you mean 'h2_capacity_wt_pct'? known: ...",
 "code": "unknown_name", "instance": "/v1/predictions", "correlation_id": "...", "errors": []}"""


def pages() -> dict[str, str]:
    """Return the page."""
    entries = "\n".join(
        f"(error-{code.replace('_', '-')})=\n## {code}\n\n{'' if status is None else f'Status {status}. '}"
        f"{meaning[0].upper()}{meaning[1:].rstrip('.')}.\n\n{ADVICE[code]}\n"
        for code, (status, _, meaning) in sorted(error_codes().items())
    )
    text = f"""# Error codes

Every error of the service is a problem as in RFC 9457. `code` is for programs and keeps its meaning; `detail` is
for people: what was given, what is allowed, what to do. `correlation_id` is also the header `X-Request-ID` and
stands in the server's log.

```console
{_SEEN}
```

In a batch, a row that cannot be used does not stop the others: it comes back with its cause, under status 200.

{entries}"""
    return {"errors.md": text}
