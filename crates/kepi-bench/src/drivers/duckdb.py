"""Runs SQL in DuckDB for kepi-bench: a JSON request a line in, a JSON answer a line out."""

import datetime
import decimal
import json
import sys
import time

import duckdb


def plain(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


connection = None
for line in sys.stdin:
    request = json.loads(line)
    try:
        if request["do"] == "version":
            answer = {"version": duckdb.__version__}
        elif request["do"] == "open":
            if connection is not None:
                connection.close()
            connection = duckdb.connect(request["path"], config={"threads": request["threads"]})
            # It would be drawn between the answers.
            connection.execute("set enable_progress_bar = false")
            answer = {}
        else:
            started = time.perf_counter()
            rows = connection.execute(request["sql"]).fetchall()
            seconds = time.perf_counter() - started
            answer = {"seconds": seconds, "rows": [[plain(value) for value in row] for row in rows]}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
