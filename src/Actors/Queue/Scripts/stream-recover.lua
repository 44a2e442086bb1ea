-- Opens a new session, and makes the group where it is missing.
-- KEYS: stream, journal (unused), lease, confirmed, dead letters, a key that never exists.
-- ARGV: 1 'token:epoch:', 2 the new session's prefix, 3 unused, 4 group, 5 a key for the generated ids, should
-- there be none, then the prefixes of the attempts whose answers the caller did not get.
redis.call('DEL', KEYS[6])
local held = redis.call('GET', KEYS[3])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then
  return redis.error_reply('BRIDGE-LEASE-LOST the lease is not ours')
end
local session = tonumber(string.sub(held, #ARGV[1] + 1)) + 1

-- Each ends the script with WRONGTYPE before anything was written.
redis.call('XLEN', KEYS[1])
redis.call('XLEN', KEYS[5])
local known = redis.call('HMGET', KEYS[4], 'session-prefix', 'settled', 'mark', 'mark-at', 'mark-endpoint', 'mark-start',
  'base-prefix', 'base-taken', 'mark-owed', 'seal')

-- XINFO answers names and values in turn.
local function field(facts, name)
  for i = 1, #facts, 2 do
    if facts[i] == name then
      return facts[i + 1]
    end
  end
end

local delivered
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, facts in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    if field(facts, 'name') == ARGV[4] then
      delivered = field(facts, 'last-delivered-id')
    end
  end
end
local taken = delivered or '0-0'
if not delivered then
  -- Behind what was settled, so that what was taken and not settled comes again; from the beginning
  -- when the stream was made anew, which its own counter tells.
  taken = '0-0'
  if known[2] and redis.call('EXISTS', KEYS[1]) == 1
    and not before(field(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id'), known[2]) then
    taken = known[2]
  end
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[4], taken, 'MKSTREAM')
  if taken == '0-0' then
    redis.call('HDEL', KEYS[4], 'settled')
  end
end

-- A mark ahead of everything that was delivered speaks of a stream that was there before: whoever
-- believed it would count this one's entries as sent.
local mark = known[3] or ''
if mark ~= '' and before(taken, mark) then
  mark = ''
end

-- What Redis knew when the caller last got an answer, whatever attempts ran since.
local base_prefix, base_taken = known[1] or '', delivered or '0-0'
for i = 6, #ARGV do
  if ARGV[i] == known[1] then
    base_prefix, base_taken = known[7] or '', known[8] or '0-0'
    break
  end
end

local pending = redis.call('XPENDING', KEYS[1], ARGV[4])
redis.call('SET', KEYS[3], ARGV[1] .. string.format('%.0f', session), 'KEEPTTL')
redis.call('HSET', KEYS[4], 'session-prefix', ARGV[2], 'base-prefix', base_prefix, 'base-taken', base_taken)
local seal = known[10]
if not seal then
  seal = ARGV[5]
  redis.call('HSET', KEYS[4], 'seal', seal)
end
if mark == '' then
  redis.call('HDEL', KEYS[4], 'mark', 'mark-at', 'mark-endpoint', 'mark-start', 'mark-owed')
end
local clock = redis.call('TIME')
return {
  session, pending[1], pending[2] or '0-0', pending[3] or '0-0',
  base_prefix, base_taken,
  mark, known[4] or '0', known[5] or '', known[6] or '0', known[9] or '0',
  taken, seal,
  clock[1] .. string.sub(clock[2] + 1000000, 2, 4),
}
