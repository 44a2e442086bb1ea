-- Begins every script of a session.
-- KEYS: queue, journal, lease, confirmed, dead letters, a key that never exists, the journal's runs, outcomes, replies, awaiting, kept,
-- scheduled, what is scheduled, seen ids.
-- ARGV[1]: the lease's value in this session, token:epoch:session.

-- A full Redis refuses a script's writes until one that cannot grow anything has passed; this one
-- also makes a replica say READONLY before it is asked about a lease that it may know too late.
redis.call('DEL', KEYS[6])

local function fenced()
  local held = redis.call('GET', KEYS[3])
  if held == ARGV[1] then
    return nil
  end
  if held and string.match(held, '^[^:]*') == string.match(ARGV[1], '^[^:]*') then
    return redis.error_reply('BRIDGE-STALE the session is no longer the current one')
  end
  return redis.error_reply('BRIDGE-LEASE-LOST the lease is not ours')
end

local clock = redis.call('TIME')
local now = clock[1] .. string.sub(clock[2] + 1000000, 2, 4)
