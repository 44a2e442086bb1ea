-- Opens a new session.
-- KEYS: queue, journal, lease, confirmed, dead letters, a key that never exists, the journal's runs.
-- ARGV: 1 'token:epoch:', 2 the new session's prefix, 3 the last sequence that the caller remembers, 4 unused,
-- 5 a key for the generated ids, should there be none, then the prefixes of the attempts whose answers it did not get.
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
local known = redis.call('HMGET', KEYS[4], 'session-prefix', 'taken', 'mark', 'mark-at', 'mark-endpoint', 'mark-start',
  'base-prefix', 'base-taken', 'settled', 'mark-owed', 'seal')

local first, last, settled = 0, 0, 0
local taken
if length > 0 then
  -- The runs tell what the numbers are, also where the counter is gone; and that none is missing.
  local newest, oldest = redis.call('LINDEX', KEYS[7], -1), redis.call('LINDEX', KEYS[7], 0)
  local run_first, run_count = string.match(newest or '', '^(%d+) (%d+) ')
  local head = tonumber(string.match(oldest or '', '^(%d+) '))
  taken = run_first and tonumber(run_first) + tonumber(run_count) - 1
  settled = taken and taken - length
  local told = known[9] and tonumber(string.sub(known[9], 3))
  if not taken or taken ~= tonumber(known[2] or taken) or settled < head - 1 or told and told ~= settled then
    return redis.error_reply('BRIDGE-JOURNAL the journal holds an element that Bridge did not write, or lacks one that it did')
  end
  first, last = settled + 1, taken
else
  redis.call('DEL', KEYS[7])
  taken = math.max(tonumber(known[2] or '0'), tonumber(ARGV[3]))
  settled = taken
end

-- A mark ahead of everything that was taken speaks of another history: whoever believed it would
-- count the next entries as sent.
local mark = known[3] or ''
if mark ~= '' and tonumber(string.match(mark, '^0%-(%d+)$')) > taken then
  mark = ''
end

-- What Redis knew when the caller last got an answer, whatever attempts ran since.
local base_prefix, base_taken = known[1] or '', known[2] or '0'
for i = 6, #ARGV do
  if ARGV[i] == known[1] then
    base_prefix, base_taken = known[7] or '', known[8] or '0'
    break
  end
end

redis.call('SET', KEYS[3], ARGV[1] .. string.format('%.0f', session), 'KEEPTTL')
redis.call('HSET', KEYS[4], 'session-prefix', ARGV[2], 'taken', string.format('%.0f', taken),
  'settled', '0-' .. string.format('%.0f', settled), 'base-prefix', base_prefix, 'base-taken', base_taken)
local seal = known[11]
if not seal then
  seal = ARGV[5]
  redis.call('HSET', KEYS[4], 'seal', seal)
end
if mark == '' then
  redis.call('HDEL', KEYS[4], 'mark', 'mark-at', 'mark-endpoint', 'mark-start', 'mark-owed')
end
local clock = redis.call('TIME')
return {
  session, length,
  '0-' .. string.format('%.0f', first), '0-' .. string.format('%.0f', last),
  base_prefix, '0-' .. base_taken,
  mark, known[4] or '0', known[5] or '', known[6] or '0', known[10] or '0',
  '0-' .. string.format('%.0f', taken), seal,
  clock[1] .. string.sub(clock[2] + 1000000, 2, 4),
}
