-- Settles, then delivers entries to the group's one consumer, whose pending entries are the journal.
local refused = fenced()
if refused then
  return refused
end
-- Ends the script with WRONGTYPE before anything was written.
redis.call('XLEN', KEYS[1])
refused = settle()
if refused then
  return refused
end
local settled = removed

local want, room, limit, slice = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local taken, oversize = {}, {}
local count, bytes = 0, 0
local remaining = -1
local stop = false

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
    count = count + 1
    if size > limit then
      bury('oversize', size .. ' bytes, the limit is ' .. ARGV[11], -1, entry[1], id_prefix .. entry[1], 0, now,
        content_of(entry[2]))
      acknowledge({ entry[1] }, may_delete())
      oversize[#oversize + 1] = entry[1]
      oversize[#oversize + 1] = size
      large = true
      -- One is work enough for a call that must not block Redis: what the slice has delivered behind
      -- it is taken back.
      if i < #entries then
        local ids = {}
        for j = i + 1, #entries do
          ids[#ids + 1] = entries[j][1]
        end
        redis.call('XACK', KEYS[1], group, unpack(ids))
        redis.call('XGROUP', 'SETID', KEYS[1], group, entry[1])
      end
      stop = true
      break
    else
      entry[3] = now
      taken[#taken + 1] = entry
      bytes = bytes + size
    end
    large = large or size > 65536
  end
  if large then
    slice = 1
  else
    slice = math.min(slice * 4, 4)
  end
  if #entries < asked and not stop then
    remaining = 0
    stop = true
  end
  stop = stop or bytes >= room
end
trim_dead(ARGV[7], ARGV[8])
return { settled, dead, dead_trimmed, remaining, slice, unfinished, oversize, taken }
