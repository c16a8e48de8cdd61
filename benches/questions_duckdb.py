"""The twelve questions asked of DuckDB over the same Parquet files: see README.md beside this file.

    pip install duckdb && python3 benches/questions_duckdb.py FOLDER

Compares with the answers that the bench left in FOLDER (exact; customers and quantiles within 1 %) and prints times.
"""

import json
import pathlib
import sys
import time

import duckdb

HOUR, DAY = 3_600_000, 86_400_000
# Questions that rollups answer; what follows goes to the rows.
TWELVE = 12
# Shanghai is eight hours ahead all year.
CREATED = f"(created_ms + 8 * {HOUR})"
CASH = f"(coalesce(completed_ms, created_ms) + 8 * {HOUR})"
FIRST = "epoch_ms(timestamp '2025-01-01')"
WITHIN_CREATED = f"{CREATED} >= {FIRST} and {CREATED} < {FIRST} + 365::bigint * {DAY}"
WITHIN_CASH = f"{CASH} >= {FIRST} and {CASH} < {FIRST} + 365::bigint * {DAY}"
PAID = f"kind = 'payment' and status = 'succeeded' and {WITHIN_CASH}"


def day(clock):
    return f"strftime(make_timestamp_ms({clock}), '%Y-%m-%d')"


def week(clock):
    return f"printf('%02d', ({clock} - {FIRST}) // (7 * {DAY}))"


LINES = f"""(select kind, {CASH} as paid_at, unnest(item_category) as category, unnest(item_line_amount) as amount
    from rows where kind in ('payment', 'refund') and status = 'succeeded' and {WITHIN_CASH})"""


def overview(where):
    paid, refunded = "kind = 'payment' and status = 'succeeded'", "kind = 'refund' and status = 'succeeded'"
    return [
        f"""select 'all', count(*) filter ({paid}), sum(amount) filter ({paid}), count(*) filter ({refunded}),
            coalesce(sum(amount) filter ({refunded}), 0), coalesce(sum(fee) filter ({paid}), 0)
            from rows where {WITHIN_CASH} {where}""",
        f"""select 'week ' || {week(CASH)}, sum(amount) from rows where {PAID} {where} group by 1""",
        f"""select 'method ' || method, count(*), sum(amount) from rows where {PAID} {where} group by 1""",
    ]


def questions(third_store, hundredth_store):
    return [
        [f"""select {day(CREATED)} || ' ' || status, count(*) from rows
            where kind = 'payment' and {WITHIN_CREATED} group by 1"""],
        [f"""select {day(CREATED)} || ' ' || method, count(*), count(*) filter (status = 'succeeded') from rows
            where kind = 'payment' and {WITHIN_CREATED} group by 1"""],
        [f"""select strftime(make_timestamp_ms({CASH}), '%m') || ' ' || method, coalesce(sum(fee), 0) from rows
            where {PAID} group by 1"""],
        [f"""select {week("paid_at")} || ' ' || category, sum(amount) from {LINES} where kind = 'payment' group by 1"""],
        [f"""select method, unnest_q[1], unnest_q[2], unnest_q[3] from (select method, quantile_disc(
            completed_ms - coalesce(submitted_ms, created_ms), [0.5, 0.95, 0.99]) as unnest_q from rows
            where kind = 'payment' and status = 'succeeded' and {WITHIN_CREATED} group by 1)"""],
        [f"""select method || ' ' || failure_code, count(*) from rows
            where kind = 'payment' and status = 'failed' and {WITHIN_CREATED} group by 1"""],
        [f"""select {week(CASH)}, count(distinct customer) from rows where {PAID} group by 1"""],
        [f"""select category, coalesce(sum(amount) filter (kind = 'refund'), 0),
            coalesce(sum(amount) filter (kind = 'payment'), 0) from {LINES} group by 1"""],
        [f"""select (isodow(make_timestamp_ms({CASH})) - 1) || ' ' || strftime(make_timestamp_ms({CASH}), '%H'),
            count(*), sum(amount) from rows where {PAID} group by 1"""],
        overview(f"and store = {third_store}"),
        [f"""select printf('store-%03d', store), count(*), sum(amount) from rows where {PAID}
            group by 1 order by 3 desc limit 20"""],
        overview(""),
        [f"""select 'all', count(*), coalesce(sum(amount), 0) from (select unnest(item_category) as category,
            unnest(item_line_amount) as amount from rows where {PAID} and store = {hundredth_store} and operator = 'c1'
            and method = 'alipay') where category = 'category-03'"""],
    ]


def close(ours, theirs, tolerance):
    return all(abs(one - other) <= tolerance * max(abs(other), 1) for one, other in zip(ours, theirs, strict=True))


def main():
    folder = pathlib.Path(sys.argv[1])
    database = duckdb.connect()
    database.execute("set threads = 2")
    files = folder / "lake" / "stream=transactions" / "**" / "*.parquet"
    database.execute(f"create view rows as select * from read_parquet('{files}', hive_partitioning = false)")
    answers = json.loads((folder / "answers.json").read_text())
    stores = [row[0] for row in database.execute("select distinct store from rows order by 1").fetchall()]
    ours_all = theirs_all = 0.0
    wrong = 0
    print(f"{'question':<32} {'DuckDB ms':>10} {'ours ms':>9} {'times':>8}")
    for number, (answer, statements) in enumerate(zip(answers, questions(stores[2], stores[99]), strict=True)):
        begin = time.perf_counter()
        rows = [row for statement in statements for row in database.execute(statement).fetchall()]
        theirs = (time.perf_counter() - begin) * 1000
        expected = {row[0]: [int(value) for value in row[1:]] for row in rows if row[0] is not None}
        # Only what is not nothing: a week without a sale is no row here.
        found = {key: [int(value) for value in values] for key, values in answer["answer"].items()}
        found = {key: values for key, values in found.items() if any(values) or key in expected}
        tolerance = 0.01 if number in (4, 6) else 0
        same = found.keys() == expected.keys() and all(close(found[k], expected[k], tolerance) for k in expected)
        wrong += not same
        if number < TWELVE:
            ours_all, theirs_all = ours_all + answer["ms"], theirs_all + theirs
        verdict = "" if same else "  DIFFERS"
        print(f"{answer['question']:<32} {theirs:>10.1f} {answer['ms']:>9.2f} {theirs / answer['ms']:>8.0f}{verdict}")
        if not same:
            keys = [k for k in expected.keys() | found.keys() if found.get(k) != expected.get(k)]
            print("   ", [(k, found.get(k), expected.get(k)) for k in sorted(keys)[:4]])
    print(f"{'all together':<32} {theirs_all:>10.1f} {ours_all:>9.2f} {theirs_all / ours_all:>8.0f}")
    rebuild = folder / "rebuild_seconds"
    if rebuild.exists():
        seconds = float(rebuild.read_text())
        print(f"a rebuild took {seconds:.1f} s, {seconds * 1000 / theirs_all:.2f} times DuckDB's twelve")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
