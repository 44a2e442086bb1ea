-- Settles, then delivers entries to the group's one consumer, whose pending entries are the journal.
local refused = fenced()
if refused then
  return refused
end
-- Ends the script with WRONGTYPE before anything was written.
redis.call('XLEN', KEYS[1])
look_at_due()
refused = settle()
if refused then
  return refused
end
local settled = removed

local want, room, limit, slice = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
-- What is due comes again at the stream's end: ahead of what is there nothing can be added.
local due = take_due(want, room)
for i = 1, #due, 2 do
  local fields = cmsgpack.unpack(due[i + 1])
  fields[#fields + 1] = '!'
  fields[#fields + 1] = due[i]
  redis.call('XADD', KEYS[1], '*', unpack(fields))
end
local taken, oversize = {}, {}
local count, bytes = 0, 0
local remaining = -1
local stop = false

-- The id right before another; nil where a Lua number would not hold it exactly.
local function preceding(id)
  local high, low = string.match(id, '^(%d+)%-(%d+)$')
  if #high > 15 or #low > 15 then
    return nil
  end
  if low ~= '0' then
    return high .. '-' .. string.format('%.0f', tonumber(low) - 1)
  end
  return string.format('%.0f', tonumber(high) - 1) .. '-18446744073709551615'
end

-- Makes undelivered again what a slice has delivered from here on.
local function take_back(entries, from, before_it)
  local ids = {}
  for i = from, #entries do
    ids[#ids + 1] = entries[i][1]
  end
  if #ids > 0 then
    redis.call('XACK', KEYS[1], group, unpack(ids))
    redis.call('XGROUP', 'SETID', KEYS[1], group, before_it)
  end
end

while count < want and not stop do
  local asked = math.min(slice, want - count)
  if count > 0 and bytes > 0 then
    -- What is read is taken, so the last slice must not go far beyond the bytes that are asked for.
    asked = math.min(asked, math.ceil((room - bytes) * count / bytes))
  end
  local reply = redis.call('XREADGROUP', 'GROUP', group, 'bridge', 'COUNT', asked, 'STREAMS', KEYS[1], '>')
  local entries = reply and reply[1][2] or {}
  local large = false
  for i = 1, #entries do
    local entry = entries[i]
    local size = 0
    for j = 1, #entry[2] do
      size = size + #entry[2][j]
    end
    -- What Bridge says of one that comes again is not the app's.
    if size > limit and not (size <= limit + 1024 and select(2, parted(entry[2]))) then
      large = true
      stop = true
      -- Reading it among others is work enough for a call that must not block Redis: the next call
      -- reads it alone and dead-letters it.
      local before_it = #entries > 1 and preceding(entry[1])
      if before_it then
        take_back(entries, i, before_it)
        break
      end
      bury('oversize', size .. ' bytes, the limit is ' .. ARGV[11], -1, entry[1], id_prefix .. entry[1], 0, now,
        content_of(entry[2]))
      tell_dead('oversize', id_prefix .. entry[1], now)
      acknowledge({ entry[1] }, may_delete())
      oversize[#oversize + 1] = entry[1]
      oversize[#oversize + 1] = size
      take_back(entries, i + 1, entry[1])
      break
    else
      count = count + 1
      taken[2 * count - 1] = entry[1]
      taken[2 * count] = sent_of(entry[2])
      bytes = bytes + size
    end
    large = large or size > 65536
  end
  if large then
    slice = 1
  else
    slice = math.min(slice * 4, 8)
  end
  if #entries < asked and not stop then
    remaining = 0
    stop = true
  end
  stop = stop or bytes >= room
end
trim_dead(ARGV[7], ARGV[8])
return { settled, dead, dead_trimmed, remaining, slice, unfinished, oversize, { now }, taken, due_in() }
