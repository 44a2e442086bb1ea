-- Reads the journal behind a sequence. ARGV: 2 the sequence, 9 entries, 10 bytes, 12 slice.
local refused = fenced() or open_journal()
if refused then
  return refused
end
local first = math.max(tonumber(ARGV[2]), settled) + 1
local want, room, slice = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[12])
local read, runs, bytes = {}, {}, 0
local index = first - settled - 1
local stop = false
while #read < want and not stop do
  local asked = math.min(slice, want - #read)
  local elements = redis.call('LRANGE', KEYS[2], index, index + asked - 1)
  local large = false
  for i = 1, #elements do
    local size = #elements[i]
    read[#read + 1] = elements[i]
    bytes = bytes + size
    large = large or size > 65536
    if bytes >= room then
      stop = true
      break
    end
  end
  index = index + #elements
  if large then
    slice = 1
  else
    slice = math.min(slice * 4, 32)
  end
  stop = stop or #elements < asked
end

-- The runs that these entries belong to, the first and the last one cut to them.
local last = first + #read - 1
local at = #read > 0 and runs_before(first - 1)
while at do
  local run_first, count, run_prefix, taken_at = parse_run(redis.call('LINDEX', KEYS[7], at))
  local run_last = run_first + count - 1
  local from, to = math.max(run_first, first), math.min(run_last, last)
  runs[#runs + 1] = number(from) .. ' ' .. number(to - from + 1) .. ' ' .. run_prefix .. ' ' .. taken_at
  at = run_last < last and at + 1
end
return { 0, 0, 0, -1, slice, 0, {}, runs, read }
