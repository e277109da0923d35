"""The engines that are asked: DuckDB in this process, and a Spark cluster on this machine."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TABLES = ["polls", "user_tasks"]
WORKERS = 2
PATIENCE_S = 120


def ask_duckdb(data_set, sql):
    """The rows of an answer, as tuples."""
    import duckdb

    with duckdb.connect() as connection:
        for table in TABLES:
            files = str(data_set / f"table={table}" / "**" / "*.parquet").replace("'", "''")
            connection.execute(
                f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}', "
                "hive_partitioning = true, hive_types_autocast = false)"
            )
        return connection.execute(sql).fetchall()


def java_is_there():
    """Whether there is a Java runtime, as Spark looks for it."""
    home = os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else shutil.which("java")
    return bool(java) and subprocess.run([java, "-version"], capture_output=True).returncode == 0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def spark_cluster():
    """A master and its workers, each a process; gives the master's address."""
    import pyspark

    home = Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    processes = []
    with tempfile.TemporaryDirectory(prefix="spark-cluster-") as folder:

        def start(name, *arguments):
            # spark-class replaces itself with java, so this is the process to end.
            log = open(Path(folder) / f"{name}.log", "wb")
            command = [home / "bin" / "spark-class", *arguments]
            processes.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
            )
            log.close()

        deploy = "org.apache.spark.deploy"
        local = ["--host", "127.0.0.1", "--webui-port", "0"]
        try:
            start("master", f"{deploy}.master.Master", *local, "--port", str(port))
            for number in range(1, WORKERS + 1):
                size = ["--cores", "1", "--memory", "1g", "--work-dir", f"{folder}/work{number}"]
                start(f"worker{number}", f"{deploy}.worker.Worker", *local, *size, master)
            await_workers(Path(folder), processes)
            yield master
        except BaseException:
            for log in sorted(Path(folder).glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
            raise
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


def await_workers(folder, processes):
    """Until the master has told each worker that it takes part."""
    deadline = time.monotonic() + PATIENCE_S
    log = folder / "master.log"
    while time.monotonic() < deadline:
        if len(re.findall(r"Registering worker", log.read_text(errors="replace"))) >= WORKERS:
            return
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("a process of the Spark cluster has ended")
        time.sleep(0.2)
    raise RuntimeError(f"no {WORKERS} Spark workers after {PATIENCE_S} seconds")


class Spark:
    """A session on a cluster, with the tables of a data set."""

    def __init__(self, master, data_set):
        from pyspark.sql import SparkSession

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        self.session = (
            SparkSession.builder.master(master)
            .appName("exectrace fleet")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.executor.memory", "512m")
            .config("spark.executor.cores", "1")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "4")
            # One file to a task, so that even a small data set is read by both workers.
            .config("spark.sql.files.openCostInBytes", str(128 << 20))
            # Release 1.10 is not the number 1.1.
            .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
            .getOrCreate()
        )
        self.session.sparkContext.setLogLevel("ERROR")
        # The executors call a function of this file.
        self.session.sparkContext.addPyFile(str(Path(__file__).resolve()))
        for table in TABLES:
            rows = self.session.read.parquet(str(data_set / f"table={table}"))
            rows.createOrReplaceTempView(table)

    def ask(self, sql):
        """The rows of an answer, as tuples."""
        return [tuple(row) for row in self.session.sql(sql).collect()]

    def executors(self):
        """The executors that hold a part of the data set when it is spread over all of them."""
        polls = self.session.table("polls").rdd
        return set(polls.mapPartitions(lambda rows: [executor_of(rows)]).collect())

    def await_executors(self):
        """Until there are as many executors as workers; the driver is counted with them."""
        context = self.session.sparkContext._jsc.sc()
        deadline = time.monotonic() + PATIENCE_S
        while context.getExecutorMemoryStatus().size() < WORKERS + 1:
            if time.monotonic() > deadline:
                raise RuntimeError("the Spark workers start no executors")
            time.sleep(0.2)

    def stop(self):
        self.session.stop()


def executor_of(rows):
    """Runs on an executor: reads the partition, and tells whose working folder it is read in."""
    for _ in rows:
        pass
    return os.getcwd()
