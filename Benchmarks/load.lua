-- wrk's script: rotates prepared requests, and prints one line of JSON when done.
--
--   wrk … -s load.lua http://127.0.0.1:PORT -- REQUESTS_FILE [PREFIX] [with|without|address] [BODY_BYTES] [once]
--
-- REQUESTS_FILE holds one request a line: a path, a tab, a token; with `address` a client's address, as a proxy in front
-- would tell it. Every request is rendered once, in init(), so that request() costs one table look-up and the load
-- generator is not what is measured. With BODY_BYTES it is a POST of so much. With `once` the run ends when every line
-- had its turn (one thread only).

local ffi = require("ffi")
ffi.cdef("int kill(int, int); int getpid(void);")

local threads = 0

function setup(thread)
    thread:set("first", threads)
    threads = threads + 1
end

function init(args)
    local file, prefix, token_is, size = args[1], args[2] or "", args[3] or "with", tonumber(args[4] or "0")
    local body = string.rep("x", size)
    once = args[5] == "once"
    requests = {}
    for line in io.lines(file) do
        local path, token = line:match("^(%S+)\t(%S+)$")
        local head = (size > 0 and "POST " or "GET ") .. prefix .. path ..
            " HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
        if token_is == "with" then
            head = head .. "Authorization: Bearer " .. token .. "\r\n"
        elseif token_is == "address" then
            head = head .. "X-Forwarded-For: " .. token .. "\r\n"
        end
        if size > 0 then head = head .. "Content-Length: " .. size .. "\r\n" end
        requests[#requests + 1] = head .. "\r\n" .. body
    end
    total = #requests
    -- The threads start at different places, so that they do not walk in step.
    at = once and 0 or (first * 389) % total
end

function request()
    at = at + 1
    if at > total then
        at = 1
        -- wrk sleeps until its time is over; an interrupt ends that, and the report is printed as ever.
        if once then ffi.C.kill(ffi.C.getpid(), 2) end
    end
    return requests[at]
end

function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"seconds":%.6f,"bytes":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"refused":%d,' ..
        '"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, e.connect, e.read, e.write, e.timeout, e.status,
        latency:percentile(50), latency:percentile(99)))
end
