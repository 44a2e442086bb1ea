-- Settles, then moves entries from the head of the queue to the end of the journal.
local refused = fenced() or open_journal()
if refused then
  return refused
end
-- Ends the script with WRONGTYPE before anything was written.
local length = redis.call('LLEN', KEYS[1])
look_at_due()
refused = settle()
if refused then
  return refused
end

local want, room, limit, slice = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local moved, buried = {}, {}
-- Ahead of the queue comes what is due.
local due, bytes = take_due(want, room)
for i = 1, #due, 2 do
  moved[#moved + 1] = due[i] .. '\n' .. due[i + 1]
end
local again = #moved
local count = again
local stop = length == 0 or bytes >= room

local function bury_taken(reason, detail, offset, payload)
  local sequence = number(taken + count)
  local id = 'b-' .. prefix .. '-' .. sequence
  bury(reason, detail, offset, '0-' .. sequence, id, 0, now, { 'payload', payload })
  tell_dead(reason, id, now)
  moved[count] = ''
  buried[#buried + 1] = '0-' .. sequence
  buried[#buried + 1] = #payload
end

-- A message that comes alone is moved in one step.
if length == 1 and want > 0 and again == 0 then
  local payload = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if #payload > 0 and #payload <= limit then
    moved[1], count, stop = payload, 1, true
  else
    redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'LEFT')
  end
end
local lone = again == 0 and count == 1

-- Slices, because what a slice reads is copied several times before its sizes are known: the larger
-- they are, the less a take costs, and the longer it blocks Redis where huge entries lie close together.
while count < want and not stop do
  local asked = math.min(slice, want - count, length + again - count)
  local elements = redis.call('LRANGE', KEYS[1], count - again, count - again + asked - 1)
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
    count = count + 1
    if size > limit then
      bury_taken('oversize', size .. ' bytes, the limit is ' .. ARGV[11], -1, payload)
      stop = true
    elseif size == 0 then
      -- Empty is what a place holder looks like.
      bury_taken('empty-payload', 'nothing at all', 0, payload)
    else
      moved[count] = payload
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
    slice = math.min(slice * 4, 8)
  end
  stop = stop or count - again == length
end

local run = {}
if count > 0 then
  if not lone then
    -- Lua cannot spread more than about 8,000 arguments.
    for i = 1, count, 4000 do
      redis.call('RPUSH', KEYS[2], unpack(moved, i, math.min(i + 3999, count)))
    end
    redis.call('LTRIM', KEYS[1], count - again, -1)
  end
  run[1] = number(taken + 1) .. ' ' .. count .. ' ' .. prefix .. ' ' .. now
  redis.call('RPUSH', KEYS[7], run[1])
  redis.call('HSET', KEYS[4], 'taken', number(taken + count))
end
trim_dead(ARGV[7], ARGV[8])
return { removed, dead, dead_trimmed, length + again - count, slice, 0, buried, run, moved, due_in() }
