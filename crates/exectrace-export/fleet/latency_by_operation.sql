-- How long each operation takes, over all hosts and releases.
SELECT
    name,
    count(*) AS operations,
    count(DISTINCT host) AS hosts,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ns) AS p50_ns,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ns) AS p99_ns,
    max(duration_ns) AS longest_ns
FROM user_tasks
WHERE begin_seen AND end_seen
GROUP BY name
ORDER BY name
