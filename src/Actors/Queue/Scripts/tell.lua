-- Tells endings, in the step in which an entry leaves the journal or its place there is given up: so each is told once.
-- KEYS: 8 outcomes, 9 replies, 10 those that wait for an answer. ARGV: 14 outcomes kept, 15 '1' where what a script dead-letters by itself is told.
-- What is told of an entry stands in ARGV as: the key of its reply ('' for none), the reply, how many fields its outcome
-- has (0 for none), and these. One that does not end yet but waits for an answer: its key among those, what is known of it, -1.

-- Each ends the script with WRONGTYPE before anything was written.
local function may_tell()
  redis.call('XLEN', KEYS[8])
  redis.call('XLEN', KEYS[9])
  redis.call('HLEN', KEYS[10])
end

local function tell(i)
  local fields = tonumber(ARGV[i + 2])
  if fields < 0 then
    redis.call('HSET', KEYS[10], ARGV[i], ARGV[i + 1])
    return
  end
  if ARGV[i] ~= '' then
    redis.call('XADD', KEYS[9], '*', 'key', ARGV[i], 'reply', ARGV[i + 1])
  end
  if fields > 0 then
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[14], '*', unpack(ARGV, i + 3, i + 2 + fields))
  end
end

-- Where the next entry's arguments begin.
local function behind(i)
  return i + 3 + math.max(0, tonumber(ARGV[i + 2]))
end

-- Ends those that had left the journal and waited for an answer: their place is `nowhere`, and where the others say which
-- generated id they must have they say their key. Behind the others, because one may have left it in this very step.
local function tell_awaited(from, nowhere)
  local i = from
  while i <= #ARGV do
    if ARGV[i] == nowhere and redis.call('HDEL', KEYS[10], ARGV[i + 5]) == 1 then
      tell(i + 6)
    end
    i = behind(i + 6)
  end
end

-- Of an entry that never came to Bridge.
local function tell_dead(reason, id, taken_at)
  if ARGV[15] == '1' then
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[14], '*', 'ending', 'dead', 'id', id, 'to', '', 'reason', reason, 'taken', taken_at)
  end
end
