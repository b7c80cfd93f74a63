"""Reads exports of one month by DuckDB and compares them: read.py FOLDER MONTH

FOLDER has MONTH.parquet, MONTH.totals.parquet and the same as .ndjson and .csv. Every row of the calls is compared in every
column with JSON and in what money and time say with CSV; totals with CSV. Prints what it found as JSON.
"""

import csv
import json
import sys
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal

import duckdb

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
WHOLE = "BIGINT"
TEXT = "VARCHAR"
INSTANT = "TIMESTAMP WITH TIME ZONE"
MONEY = "DECIMAL(38,9)"
SECONDS = "DECIMAL(18,6)"


def micros(text):
    """2026-10-05T09:00:00.25Z or 2026-10-05 09:00:00.25, without a float in between."""
    if text is None:
        return None
    second, _, part = text.rstrip("Z").replace("T", " ").partition(".")
    at = datetime.strptime(second, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    whole = at - EPOCH
    return (whole.days * 86400 + whole.seconds) * 1_000_000 + int(part.ljust(6, "0"))


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r} in Parquet, {expected!r} otherwise")


def columns(file):
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
    return {name: kind for name, kind, *_ in described}


def rows(file):
    """Rows as they stand, instants as microseconds."""
    shown = ", ".join(f'epoch_us("{n}")' if k == INSTANT else f'"{n}"' for n, k in columns(file).items())
    # In the file's order, whatever the number of threads.
    every = f"SELECT {shown} FROM read_parquet('{file}', file_row_number = true) ORDER BY file_row_number"
    return duckdb.sql(every).fetchall()


def told(file):
    pairs = duckdb.sql(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{file}')").fetchall()
    return {key.removeprefix("callrated."): value for key, value in pairs}


def sums(file):
    found = duckdb.sql(f"SELECT currency, sum(cost) FROM '{file}' GROUP BY currency ORDER BY currency").fetchall()
    return {currency: str(cost) for currency, cost in found}


def flat(leg):
    steps = leg.pop("steps")
    if "exchange" in leg:
        # 0.92 EUR/USD
        rate, pair = leg["exchange"].split(" ")
        same("the currency of the cost", pair.split("/")[0], leg["currency"])
        leg |= {"exchange_rate": rate, "exchange_from": pair.split("/")[1]}
    return leg | {f"steps_{name}": value for name, value in steps.items()}


def in_currency(row):
    """The price of a minute in the currency of the cost, which is what customers see."""
    if row["exchange_rate"] is None:
        return row["rate"]
    return (row["rate"] * row["exchange_rate"]).quantize(Decimal("1e-9"), ROUND_HALF_UP)


def calls(folder, month):
    file = f"{folder}/{month}.parquet"
    kinds = columns(file)
    same("type of cost", kinds["cost"], MONEY)
    same("type of start", kinds["start"], INSTANT)
    same("type of duration", kinds["duration"], SECONDS)
    as_kind = {TEXT: lambda v: v, WHOLE: lambda v: v, INSTANT: micros, MONEY: Decimal, SECONDS: Decimal}
    count = 0
    found = rows(file)
    costs = {}
    with open(f"{folder}/{month}.ndjson") as lines, open(f"{folder}/{month}.csv", newline="") as cells:
        for row, line, cell in zip(found, lines, csv.DictReader(cells), strict=True):
            leg = flat(json.loads(line))
            same("columns", set(leg) - set(kinds), set())
            for (name, kind), value in zip(kinds.items(), row, strict=True):
                same(f"row {count}, {name}", value, as_kind[kind](leg[name]) if name in leg else None)
            row = dict(zip(kinds, row))
            for name, value in [
                ("cost", Decimal(cell["Total Cost"])),
                ("currency", cell["Currency"]),
                ("account", cell["Account"]),
                ("start", micros(cell["Start Time (UTC)"])),
                ("end", micros(cell["End Time (UTC)"])),
                ("duration", Decimal(cell["Duration (sec)"])),
                ("billable_minutes", Decimal(cell["Billable Minutes"])),
                ("adjusts", cell["Late Call of"] or None),
            ]:
                same(f"row {count} against CSV, {name}", row[name], value)
            same(f"row {count} against CSV, rate", in_currency(row), Decimal(cell["Rate"]))
            costs[row["currency"]] = costs.get(row["currency"], 0) + Decimal(cell["Total Cost"])
            count += 1
    same("rows", duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall(), [(count,)])
    same("sums", {currency: Decimal(cost) for currency, cost in sums(file).items()}, costs)
    groups = duckdb.sql(
        f"SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata('{file}') ORDER BY ALL"
    ).fetchall()
    counted = f"SELECT count(adjusts), count(setup), count(exchange_rate) FROM '{file}'"
    late, set_up, exchanged = duckdb.sql(counted).fetchall()[0]
    return {
        "rows": count,
        "late": late,
        "set_up": set_up,
        "exchanged": exchanged,
        "sums": sums(file),
        "groups": [n for _, n in groups],
        "columns": list(kinds),
        "told": told(file),
    }


def totals(folder, month):
    file = f"{folder}/{month}.totals.parquet"
    kinds = columns(file)
    count = 0
    with open(f"{folder}/{month}.totals.csv", newline="") as cells:
        reader = csv.DictReader(cells)
        same("columns of totals", list(kinds), reader.fieldnames)
        for row, cell in zip(rows(file), reader, strict=True):
            for (name, kind), value in zip(kinds.items(), row, strict=True):
                wanted = {TEXT: str, WHOLE: int, MONEY: Decimal, SECONDS: Decimal}[kind](cell[name])
                same(f"total {count}, {name}", value, wanted)
            count += 1
    found = duckdb.sql(f"SELECT currency, sum(amount) FROM '{file}' GROUP BY currency ORDER BY currency").fetchall()
    amounts = {currency: str(amount) for currency, amount in found}
    return {"rows": count, "sums": sums(file), "amounts": amounts, "told": told(file)}


folder, month = sys.argv[1:]
print(json.dumps({"calls": calls(folder, month), "totals": totals(folder, month)}))
