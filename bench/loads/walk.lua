-- Sends prepared requests: in order from an offset ("walk"), or at random ("pick").
-- Arguments: the file, the mode, the offset (from 0; in "pick", the seed), the minimum size of an answer in bytes.
-- The file has one request per line: token, TAB, body (JSON has no raw newlines). An empty token sends none.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file, mode = args[1], args[2]
  offset, bytes_min = tonumber(args[3]), tonumber(args[4])
  sent, wrong, sample = 0, 0, ""
  pick = mode == "pick"
  requests = {}
  local head = "POST /graphql HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
    .. "\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
  for line in io.lines(file) do
    local tab = line:find("\t", 1, true)
    local token, body = line:sub(1, tab - 1), line:sub(tab + 1)
    if token ~= "" then token = "Authorization: Bearer " .. token .. "\r\n" end
    requests[#requests + 1] = head .. token .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
  end
  math.randomseed(offset + 1)
end

function request()
  sent = sent + 1
  if pick then return requests[math.random(#requests)] end
  return requests[(offset + sent - 1) % #requests + 1]
end

-- `errors` come at the end of an answer, or at its beginning if it has no data: only these parts are searched, to keep
-- the load generator cheap. Every field of a sample is compared before and after the load.
function response(status, headers, body)
  if status ~= 200 or #body < bytes_min or body:sub(1, 40):find('"errors"', 1, true)
    or body:sub(-400):find('"errors":[', 1, true) then
    wrong = wrong + 1
    if sample == "" then sample = status .. " " .. body:sub(1, 300) end
  end
end

function done(summary, latency, each)
  local all, bad, text = 0, 0, ""
  for _, thread in ipairs(threads) do
    all, bad = all + thread:get("sent"), bad + thread:get("wrong")
    if text == "" then text = thread:get("sample") end
  end
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  -- One figure per line, so that no JSON library is needed.
  io.write(string.format("\nsent %d\nanswered %d\nmicroseconds %d\nbytes %d\nfailed %d\nwrong %d\np50 %d\np99 %d\nsample %s\n",
    all, summary.requests, summary.duration, summary.bytes, failed, bad,
    latency:percentile(50), latency:percentile(99), (text:gsub("%s", " "))))
end
