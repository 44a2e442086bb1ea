-- Reads the journal behind a sequence. ARGV: 2 the sequence, 9 entries, 10 bytes, 12 slice.
local refused = fenced()
if refused then
  return refused
end
local first = redis.call('LINDEX', KEYS[2], 0)
if not first then
  return { 0, 0, 0, -1, tonumber(ARGV[12]), 0, {}, {} }
end
local head = tonumber(string.match(first, '^%S+ 0%-(%d+) '))
if not head then
  return redis.error_reply('BRIDGE-JOURNAL the journal holds an element that Bridge did not write')
end
local index = math.max(0, tonumber(ARGV[2]) - head + 1)
local want, room, slice = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[12])
local read, bytes = {}, 0
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
return { 0, 0, 0, -1, slice, 0, {}, read }
