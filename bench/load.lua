-- Asks for one path with many tokens in turn, and ends with one line of JSON.
--   wrk -s bench/load.lua <url> -- <file with one header a line> <how many of them; 0 for all>

local requests = {}
local number = 0

function init(arguments)
  local limit = tonumber(arguments[2]) or 0
  for line in io.lines(arguments[1]) do
    if limit > 0 and #requests == limit then break end
    local name, value = line:match("^([^:]+):%s*(.*)$")
    requests[#requests + 1] = wrk.format("GET", wrk.path, { [name] = value })
  end
end

function request()
  number = number % #requests + 1
  return requests[number]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests_per_second":%.1f,"p50_us":%.0f,"p90_us":%.0f,"p99_us":%.0f,"requests":%d,"failed":%d}\n',
    summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(90), latency:percentile(99),
    summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
