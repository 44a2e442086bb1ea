-- Tells endings, in the step in which an entry leaves the journal or its place there is given up: so each is told once.
-- KEYS: 8 outcomes, 9 replies, 10 those that wait for an answer, 11 what may have to be sent again of them. ARGV: 14 outcomes
-- kept, 15 '1' where what a script dead-letters by itself is told.
-- What is told of an entry stands in ARGV as: the key of its reply ('' for none), the reply, how many fields its outcome
-- has (0 for none), and these. One that does not end yet: its key among those that wait, what is known of it, and -1, or -2 where
-- its content must be kept; or when it is due and whom it blocks, what is said of it then, -3, and as above what is told
-- should there be no room for it.

-- Each ends the script with WRONGTYPE before anything was written.
local function may_tell()
  redis.call('XLEN', KEYS[8])
  redis.call('XLEN', KEYS[9])
  redis.call('HLEN', KEYS[10])
  redis.call('HLEN', KEYS[11])
  redis.call('ZCARD', KEYS[12])
  redis.call('HLEN', KEYS[13])
  redis.call('ZCARD', KEYS[14])
end

-- content() answers what is sent of the entry, or nothing and the reason; refuse(reason, detail) dead-letters it.
local function tell(i, content, refuse)
  local fields = tonumber(ARGV[i + 2])
  if fields == -3 then
    local due, recipient = string.match(ARGV[i], '^(%d+) (%x+)$')
    local kept, reason = content()
    if not kept then
      refuse(reason, 'it cannot be sent later')
    elseif schedule(due, recipient, ARGV[i + 1], kept) then
      return
    else
      refuse(nil, ARGV[17] .. ' messages wait for their time already')
    end
    return tell(i + 3)
  end
  if fields < 0 then
    redis.call('HSET', KEYS[10], ARGV[i], ARGV[i + 1])
    local kept = fields == -2 and content()
    if kept then
      redis.call('HSET', KEYS[11], ARGV[i], kept)
    end
    return
  end
  if ARGV[i] ~= '' then
    redis.call('XADD', KEYS[9], '*', 'key', ARGV[i], 'reply', ARGV[i + 1])
  end
  if fields > 0 then
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[14], '*', unpack(ARGV, i + 3, i + 2 + fields))
  end
end

-- Whether it needs the entry's content.
local function needs_content(i)
  return tonumber(ARGV[i + 2]) < -1
end

-- Where the next entry's arguments begin.
local function behind(i)
  local fields = tonumber(ARGV[i + 2])
  if fields == -3 then
    return behind(i + 3)
  end
  return i + 3 + math.max(0, fields)
end

-- Ends those that had left the journal and waited for an answer: their place is `nowhere`, and where the others say which
-- generated id they must have they say their key. Behind the others, because one may have left it in this very step.
local function tell_awaited(from, nowhere, content_of_kept)
  local i = from
  while i <= #ARGV do
    local key = ARGV[i + 5]
    if ARGV[i] == nowhere and redis.call('HDEL', KEYS[10], key) == 1 then
      local kept = redis.call('HGET', KEYS[11], key)
      if kept then
        redis.call('HDEL', KEYS[11], key)
      end
      local full = ARGV[i + 2]
      tell(i + 6, function()
        return kept, 'trimmed'
      end, function(reason, detail)
        local position, id = string.match(key, '^(%S+) (.*)$')
        bury(reason or full, detail, -1, position, id, ARGV[i + 4], now, kept and content_of_kept(kept) or {})
      end)
    end
    i = behind(i + 6)
  end
end

-- Notes which ids of the app's own were seen. KEYS: 14 the ids. ARGV: 18 those, each with its entry, 19 for how long they are known,
-- 20 how many.
local function tell_seen()
  if ARGV[18] == '' then
    return
  end
  for member in string.gmatch(ARGV[18], '%S+') do
    redis.call('ZADD', KEYS[14], 'NX', now, member)
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[14], '-inf', string.format('%.0f', tonumber(now) - tonumber(ARGV[19])))
  redis.call('ZREMRANGEBYRANK', KEYS[14], 0, -tonumber(ARGV[20]) - 1)
end

-- Of an entry that never came to Bridge.
local function tell_dead(reason, id, taken_at)
  if ARGV[15] == '1' then
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[14], '*', 'ending', 'dead', 'id', id, 'to', '', 'reason', reason, 'taken', taken_at)
  end
end
