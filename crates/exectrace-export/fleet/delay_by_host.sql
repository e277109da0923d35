-- How long async tasks were ready before a worker took them, by host and release.
SELECT
    host,
    release,
    count(*) AS runs,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY ready_ns) AS p99_ready_ns,
    max(ready_ns) AS longest_ready_ns
FROM polls
WHERE ready_ns IS NOT NULL
GROUP BY host, release
ORDER BY host, release
