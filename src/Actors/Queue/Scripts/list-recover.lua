-- Opens a new session.
-- KEYS: queue, journal, lease, confirmed, dead letters, a key that never exists.
-- ARGV: 1 'token:epoch:', 2 the new session's prefix, 3 the last sequence that the caller remembers.
redis.call('DEL', KEYS[6])
local held = redis.call('GET', KEYS[3])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then
  return redis.error_reply('BRIDGE-LEASE-LOST the lease is not ours')
end
local session = tonumber(string.sub(held, #ARGV[1] + 1)) + 1

-- Each ends the script with WRONGTYPE before anything was written.
redis.call('LLEN', KEYS[1])
redis.call('XLEN', KEYS[5])
local length = redis.call('LLEN', KEYS[2])
local known = redis.call('HMGET', KEYS[4], 'session-prefix', 'taken', 'mark', 'mark-at', 'mark-endpoint', 'mark-start')

local first, last = 0, 0
local taken
if length > 0 then
  first = tonumber(string.match(redis.call('LINDEX', KEYS[2], 0), '^%S+ 0%-(%d+) '))
  last = tonumber(string.match(redis.call('LINDEX', KEYS[2], -1), '^%S+ 0%-(%d+) '))
  if not first or not last or last - first + 1 ~= length then
    return redis.error_reply('BRIDGE-JOURNAL the journal holds an element that Bridge did not write, or lacks one that it did')
  end
  -- The next entry continues the journal, whose sequences have no gaps.
  taken = last
else
  taken = math.max(tonumber(known[2] or '0'), tonumber(ARGV[3]))
end

redis.call('SET', KEYS[3], ARGV[1] .. string.format('%.0f', session), 'KEEPTTL')
redis.call('HSET', KEYS[4], 'session-prefix', ARGV[2], 'taken', string.format('%.0f', taken))
return {
  session, length,
  '0-' .. string.format('%.0f', first), '0-' .. string.format('%.0f', last),
  known[1] or '', '0-' .. (known[2] or '0'),
  known[3] or '', known[4] or '0', known[5] or '', known[6] or '0',
  '0-' .. string.format('%.0f', taken),
}
