-- Messages that are sent later: KEYS[12] orders their keys by when they are due, KEYS[13] has what is sent of them: a line that
-- Bridge says of it (see Deferred), and what the app pushed. A key is a number that rises, and whom the message blocks.
-- ARGV: 17 how many there may be.
local function schedule(due, recipient, said, content)
  if redis.call('ZCARD', KEYS[12]) >= tonumber(ARGV[17]) then
    return false
  end
  local key = string.format('%016.0f', redis.call('HINCRBY', KEYS[4], 'scheduled', 1)) .. ':' .. recipient
  redis.call('ZADD', KEYS[12], due, key)
  redis.call('HSET', KEYS[13], key, said .. '\n' .. content)
  return true
end

local next_due

-- When the next one is due. Ends the script with WRONGTYPE, so before anything is written.
local function look_at_due()
  next_due = redis.call('ZRANGE', KEYS[12], 0, 0, 'WITHSCORES')[2] or ''
end

-- In how many milliseconds that is: whoever hears of it may have another clock.
local function due_in()
  return next_due == '' and '' or string.format('%.0f', math.max(0, tonumber(next_due) - tonumber(now)))
end

-- Takes out those that are due, at most so many: what is said of each, and its content, in turn.
local function take_due(want, room)
  local due, bytes = {}, 0
  if next_due == '' or tonumber(next_due) > tonumber(now) then
    return due, bytes
  end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[12], '-inf', now, 'LIMIT', 0, want)) do
    local said, content = string.match(redis.call('HGET', KEYS[13], key) or '', '^([^\n]*)\n(.*)$')
    redis.call('ZREM', KEYS[12], key)
    redis.call('HDEL', KEYS[13], key)
    if said then
      due[#due + 1] = said
      due[#due + 1] = content
      bytes = bytes + #content
    end
    if bytes >= room then
      break
    end
  end
  look_at_due()
  return due, bytes
end

-- What the app pushed, of a payload that may have come again.
local function plain(payload)
  return string.match(payload, '^![^\n]*\n(.*)$') or payload
end
