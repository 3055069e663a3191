"""REST over the event websocket: one text frame in, one RESTResponse out, in Asterisk's own words.

A `message_body` must be a string, with a `content_type`; given as an object it is silently ignored. The response goes
through the event filter of the socket's application like any event, and an allow-list without it swallows it.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from integrations.emulator.core import Emulator, SocketId
from integrations.emulator.replies import INVALID_METHOD, JSON_NULL, Reply
from integrations.emulator.world import Event

_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"


class _Unfit(Exception):
    """The frame is no request. The message is Asterisk's."""


def serve(emulator: Emulator, socket_id: SocketId, text: str, now: float) -> None:
    """Answer one frame on its own socket."""
    try:
        frame = json.loads(text)
    except ValueError:
        frame = None
    if not isinstance(frame, dict):
        spoilt: Event = _response({}, "", 400, "Failed to parse request message JSON")
        emulator.respond(socket_id, spoilt, now)
        return
    uri = frame.get("uri")
    path, _, inline = (uri if isinstance(uri, str) else "").partition("?")
    try:
        method, query, body = _read(frame, path, inline)
    except _Unfit as unfit:
        response = _response(frame, path, 400, "Bad request") | _body({"message": str(unfit)})
        emulator.respond(socket_id, response, now)
        return
    if path.startswith("/"):
        reply = INVALID_METHOD  # measured: a URI is relative to /ari, and a slash in front leads nowhere
    else:
        reply = emulator.request(method, path, query, body, now, connection=f"socket {socket_id}")
    emulator.respond(socket_id, _answer(frame, path, reply), now)


def _read(frame: Mapping[str, object], path: str, inline: str) -> tuple[str, dict[str, str], object]:
    if frame.get("type") != "RESTRequest":
        raise _Unfit("Unknown request type.")
    if not path:
        raise _Unfit("Empty or missing 'uri' property.")
    method = frame.get("method")
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise _Unfit("Unknown or missing 'method' property.")
    query = dict(parse_qsl(inline, keep_blank_values=True))
    listed = frame.get("query_strings")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, Mapping):
            query[str(item.get("name", ""))] = str(item.get("value", ""))
    text = frame.get("message_body")
    if not isinstance(text, str):
        return method.upper(), query, JSON_NULL
    content_type = frame.get("content_type")
    if not isinstance(content_type, str):
        raise _Unfit("No 'content_type' for 'message_body'.")
    if content_type == _FORM:
        return method.upper(), query | dict(parse_qsl(text, keep_blank_values=True)), JSON_NULL
    try:
        return method.upper(), query, json.loads(text)
    except ValueError as error:
        raise _Unfit(f"Unable to parse 'message_body' as '{content_type}'.") from error


def _answer(frame: Mapping[str, object], path: str, reply: Reply) -> Event:
    response = _response(frame, path, reply.status, HTTPStatus(reply.status).phrase)
    if reply.data is not None:  # files do not travel this way
        return _response(frame, path, 406, "Not Acceptable.  Use HTTP GET")
    return response if reply.body is None else response | _body(reply.body)


def _response(frame: Mapping[str, object], path: str, status: int, phrase: str) -> Event:
    def text(name: str) -> str:
        value = frame.get(name)
        return value if isinstance(value, str) else ""

    return {
        "type": "RESTResponse",
        "transaction_id": text("transaction_id"),
        "request_id": text("request_id"),
        "status_code": status,
        "reason_phrase": phrase,
        "uri": path,
    }


def _body(body: object) -> Event:
    return {"content_type": _JSON, "message_body": json.dumps(body, separators=(",", ":"))}
