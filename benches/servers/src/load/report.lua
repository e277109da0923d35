-- What wrk is to print at its end: requests, errors; and in microseconds the time, p50 and p99.
done = function(summary, latency, requests)
   local e = summary.errors
   io.write(string.format("measured %d %d %d %d %d\n",
      summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
      summary.duration, latency:percentile(50), latency:percentile(99)))
end
