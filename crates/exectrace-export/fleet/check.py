"""Asks DuckDB and Spark about a data set of traces, and compares with answers computed otherwise.

    python3 check.py [--require-spark] DATA_SET

Status 0: all answers agree. 1: one does not. 2: the question could not be put.
"""

import argparse
import math
import sys
from collections import defaultdict
from pathlib import Path

import fleet

HERE = Path(__file__).resolve().parent


def rows_of(data_set, table):
    """All rows of a table, with the partitions in their paths, read file by file with pyarrow."""
    import pyarrow.parquet

    for file in sorted((data_set / f"table={table}").rglob("*.parquet")):
        partitions = dict(part.split("=", 1) for part in file.relative_to(data_set).parts[1:-1])
        # Opened by hand, so that pyarrow does not look for partitions itself.
        with open(file, "rb") as opened:
            for row in pyarrow.parquet.ParquetFile(opened).read().to_pylist():
                yield {**row, **partitions}


def percentile(values, share):
    """The smallest value that at least this share of them does not exceed."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def latency_by_operation(data_set):
    operations = defaultdict(list)
    for row in rows_of(data_set, "user_tasks"):
        if row["begin_seen"] and row["end_seen"]:
            operations[row["name"]].append(row)
    for name, rows in sorted(operations.items()):
        durations = [row["duration_ns"] for row in rows]
        p50, p99 = percentile(durations, 0.5), percentile(durations, 0.99)
        yield name, len(rows), len({row["host"] for row in rows}), p50, p99, max(durations)


def longest_polls_by_release(data_set):
    releases = defaultdict(list)
    for row in rows_of(data_set, "polls"):
        if row["end_seen"]:
            releases[row["release"]].append(row)
    for release, rows in sorted(releases.items()):
        rows.sort(key=lambda r: (-r["duration_ns"], r["trace_id"], r["worker"], r["begin_ns"]))
        for place, row in enumerate(rows[:5], start=1):
            told = ["duration_ns", "task_name", "host", "trace_id", "worker", "begin_ns"]
            yield (release, place, *(row[column] for column in told))


def delay_by_host(data_set):
    delays = defaultdict(list)
    for row in rows_of(data_set, "polls"):
        if row["ready_ns"] is not None:
            delays[row["host"], row["release"]].append(row["ready_ns"])
    for (host, release), values in sorted(delays.items()):
        yield host, release, len(values), percentile(values, 0.99), max(values)


QUESTIONS = [latency_by_operation, longest_polls_by_release, delay_by_host]


def compare(engine, question, answer, expected):
    """Whether an engine's answer is the expected one; prints it, or the first difference."""
    if answer == expected:
        print(f"{engine}: {question}: {len(answer)} rows, as computed")
        return True
    print(f"{engine}: {question}: WRONG", file=sys.stderr)
    for place in range(max(len(answer), len(expected))):
        pair = [rows[place] if place < len(rows) else None for rows in (answer, expected)]
        if pair[0] != pair[1]:
            print(f"  row {place}: {pair[0]}\n  computed: {pair[1]}", file=sys.stderr)
            break
    return False


def check(ask, engine, expected):
    results = []
    for name, rows in expected.items():
        sql = (HERE / f"{name}.sql").read_text()
        results.append(compare(engine, name, [tuple(row) for row in ask(sql)], rows))
    return all(results)


def check_spark(data_set, expected):
    with fleet.spark_cluster() as master:
        spark = fleet.Spark(master, data_set)
        try:
            spark.await_executors()
            is_right = check(spark.ask, "spark", expected)
            executors = len(spark.executors())
        finally:
            spark.stop()
    print(f"spark: {executors} of {fleet.WORKERS} workers read a part of the data set")
    return is_right and executors == fleet.WORKERS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_set", type=Path)
    parser.add_argument("--require-spark", action="store_true", help="fail without Spark")
    arguments = parser.parse_args()
    data_set = arguments.data_set.resolve()
    if not (data_set / "table=polls").is_dir():
        parser.error(f"there is no data set at {data_set}: it has no folder table=polls")
    expected = {question.__name__: list(question(data_set)) for question in QUESTIONS}
    empty = [name for name, rows in expected.items() if not rows]
    if empty:
        parser.error(f"the data set has no rows for {', '.join(empty)}")

    is_right = check(lambda sql: fleet.ask_duckdb(data_set, sql), "duckdb", expected)
    if fleet.java_is_there():
        is_right = check_spark(data_set, expected) and is_right
    elif arguments.require_spark:
        print("spark: there is no Java runtime (on Debian openjdk-17-jre-headless)", file=sys.stderr)
        is_right = False
    else:
        print("skipped: spark: there is no Java runtime (on Debian openjdk-17-jre-headless)")
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
