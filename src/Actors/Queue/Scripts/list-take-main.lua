-- Settles, then moves entries from the head of the queue to the end of the journal.
local refused = fenced()
if refused then
  return refused
end
local known = redis.call('HMGET', KEYS[4], 'session-prefix', 'taken')
if not known[1] or not known[2] then
  return redis.error_reply('BRIDGE-STALE the sequence counter is gone')
end
-- Ends the script with WRONGTYPE before anything was written.
redis.call('LLEN', KEYS[1])
redis.call('LLEN', KEYS[2])
refused = settle()
if refused then
  return refused
end

local want, room, limit, slice = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local prefix, sequence = 'b-' .. known[1] .. '-', tonumber(known[2])
local behind_payload, behind_place_holder = ' ' .. now .. ' p\n', ' ' .. now .. ' d\n'
local moved, oversize = {}, {}
local count, bytes = 0, 0
local stop = false

-- Slices, because what a slice reads is copied several times before its sizes are known.
while count < want and not stop do
  local asked = math.min(slice, want - count)
  local elements = redis.call('LRANGE', KEYS[1], count, count + asked - 1)
  local large = false
  for i = 1, #elements do
    local payload = elements[i]
    local size = #payload
    large = large or size > 65536
    if size > limit and #elements > 1 then
      -- Reading it among others is work enough for a call that must not block Redis: the next call
      -- reads it alone and dead-letters it.
      stop = true
      break
    end
    sequence = sequence + 1
    count = count + 1
    local number = string.format('%.0f', sequence)
    if size > limit then
      bury('oversize', size .. ' bytes, the limit is ' .. ARGV[11], -1, '0-' .. number, prefix .. number, 0, now,
        { 'payload', payload })
      moved[count] = prefix .. number .. ' 0-' .. number .. behind_place_holder
      oversize[#oversize + 1] = '0-' .. number
      oversize[#oversize + 1] = size
      stop = true
    else
      moved[count] = prefix .. number .. ' 0-' .. number .. behind_payload .. payload
      bytes = bytes + size
      stop = bytes >= room
    end
    if stop then
      break
    end
  end
  if large then
    slice = 1
  else
    slice = math.min(slice * 4, 4)
  end
  stop = stop or #elements < asked
end

if count > 0 then
  -- Lua cannot spread more than about 8,000 arguments.
  for i = 1, count, 4000 do
    redis.call('RPUSH', KEYS[2], unpack(moved, i, math.min(i + 3999, count)))
  end
  redis.call('LTRIM', KEYS[1], count, -1)
  redis.call('HSET', KEYS[4], 'taken', string.format('%.0f', sequence))
end
trim_dead(ARGV[7], ARGV[8])
return { removed, dead, dead_trimmed, redis.call('LLEN', KEYS[1]), slice, 0, oversize, moved }
