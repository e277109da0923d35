-- The five longest runs of an async task without a break, in each release.
SELECT release, place, duration_ns, task_name, host, trace_id, worker, begin_ns
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY release
            ORDER BY duration_ns DESC, trace_id, worker, begin_ns
        ) AS place
    FROM polls
    WHERE end_seen
) AS ranked
WHERE place <= 5
ORDER BY release, place
