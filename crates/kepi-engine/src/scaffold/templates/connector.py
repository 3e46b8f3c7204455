"""@NAME@: orders of a service, page by page.

The cursor is the time and the id of the last record. Time alone would lose records: a page may end between two of the same
time. Nothing is kept between calls: each runs on a fresh instance.
"""

import json
from urllib.parse import quote

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import source
from wit_world.exports.source import StreamField, StreamShape
from wit_world.imports import http
from words import words


def streams():
    """What there is: each stream with its fields, what tells its records apart, and the field by which it is ordered."""
    fields = [
        StreamField("id", "text", "Its id."),
        StreamField("updated_at", "time", "When it changed last."),
        StreamField("customer", "text", "Who ordered."),
        StreamField("amount", "money", "What it cost."),
    ]
    return [StreamShape("orders", fields, primary_key=["id"], cursor_field="updated_at")]


def check():
    """Whether the service answers."""
    ask("/orders?limit=1")


def page(request):
    """A page of a stream: its records as JSON, where to go on, whether there is more, and the keys of records that are gone."""
    last = json.loads(request.cursor) if request.cursor else {"updated_at": "", "id": ""}
    time, id_ = quote(last["updated_at"], safe=""), quote(last["id"], safe="")
    answer = ask(f"/orders?after_time={time}&after_id={id_}&limit={request.page_size}")
    orders = answer["orders"]
    if orders:
        last = {"updated_at": orders[-1]["updated_at"], "id": orders[-1]["id"]}
    return source.Page([json.dumps(order) for order in orders], json.dumps(last), answer["more"], deleted=[])


def ask(path):
    """The secret is put in by kepi, once it has seen that the address may be called."""
    token = ("Authorization", "Bearer {{secret:@SECRET@}}")
    status, _, body = http.fetch("GET", f"https://api.example.com{path}", [token], None)
    if status == 401:
        raise Err(source.SourceError_Refused("the token is not accepted"))
    if status != 200:
        raise Err(source.SourceError_Transient((f"status {status}", 5_000)))
    try:
        return json.loads(body)
    except ValueError as error:
        # An answer that was cut off is worth another try.
        raise Err(source.SourceError_Transient((f"the answer cannot be read: {error}", 5_000)))


# What stands below is the same in every plugin.
class Source(exports.Source):
    def config_schema(self):
        return None

    def check(self, config):
        told(check)

    def discover(self, config):
        return told(streams)

    def read(self, request):
        return told(page, request)


def told(function, *args):
    """Calls a function; what goes wrong in it is told."""
    try:
        return function(*args)
    except Err as error:
        # kepi's services fail with a text.
        raise Err(source.SourceError_Failed(error.value)) if isinstance(error.value, str) else error
    except Exception as error:
        raise Err(source.SourceError_Failed(words(error)))
