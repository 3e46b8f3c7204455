"""Runs SQL in ClickHouse for kepi-bench: a JSON request a line in, a JSON answer a line out."""

import json
import sys
import time

import chdb
import chdb.session

session = None
for line in sys.stdin:
    request = json.loads(line)
    try:
        if request["do"] == "version":
            answer = {"version": chdb.engine_version}
        elif request["do"] == "open":
            if session is not None:
                session.close()
            session = chdb.session.Session(request["path"])
            session.query(f"set max_threads = {request['threads']}")
            # The tables are in order of customers: their groups can be closed one after the other.
            session.query("set optimize_aggregation_in_order = 1")
            session.query("create database if not exists bench")
            session.query("use bench")
            answer = {}
        else:
            started = time.perf_counter()
            text = session.query(request["sql"], "JSONCompactEachRow").bytes()
            rows = [json.loads(row) for row in bytes(text).splitlines()]
            seconds = time.perf_counter() - started
            answer = {"seconds": seconds, "rows": rows}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
