-- Tells endings, in the step in which an entry leaves the journal or its place there is given up: so each is told once.
-- KEYS: 8 outcomes, 9 replies. ARGV: 14 outcomes kept, 15 '1' where what a script dead-letters by itself is told.
-- What is told of an entry stands in ARGV as: the key of its reply ('' for none), the reply, how many fields its outcome
-- has (0 for none), and these.

-- Each ends the script with WRONGTYPE before anything was written.
local function may_tell()
  redis.call('XLEN', KEYS[8])
  redis.call('XLEN', KEYS[9])
end

local function tell(i)
  if ARGV[i] ~= '' then
    redis.call('XADD', KEYS[9], '*', 'key', ARGV[i], 'reply', ARGV[i + 1])
  end
  local fields = tonumber(ARGV[i + 2])
  if fields > 0 then
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[14], '*', unpack(ARGV, i + 3, i + 2 + fields))
  end
end

-- Where the next entry's arguments begin.
local function behind(i)
  return i + 3 + tonumber(ARGV[i + 2])
end

-- Of an entry that never came to Bridge.
local function tell_dead(reason, id, taken_at)
  if ARGV[15] == '1' then
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[14], '*', 'ending', 'dead', 'id', id, 'to', '', 'reason', reason, 'taken', taken_at)
  end
end
