-- Appends what a subscription heard to the queue, once, and only as far as there is room.
-- KEYS: queue, lease, confirmed. ARGV: 1 the lease's token, 2 the batch's number under that lease, 3 the most
-- entries that may wait, then the messages. Answers how many were appended.
local held = redis.call('GET', KEYS[2])
if not held or string.match(held, '^[^:]*') ~= ARGV[1] then
  return redis.error_reply('BRIDGE-LEASE-LOST the lease is not ours')
end
-- One whose answer was lost is said again, and one that was given up may run late.
local token, number, appended = string.match(redis.call('HGET', KEYS[3], 'heard') or '', '^(%S+) (%d+) (%d+)$')
if token == ARGV[1] and tonumber(number) >= tonumber(ARGV[2]) then
  return tonumber(appended)
end
local count = math.max(0, math.min(#ARGV - 3, tonumber(ARGV[3]) - redis.call('LLEN', KEYS[1])))
-- The first write, and one that can grow: a full Redis refuses it, as it refuses a producer.
if count > 0 then
  redis.call('RPUSH', KEYS[1], unpack(ARGV, 4, 3 + count))
end
redis.call('HSET', KEYS[3], 'heard', ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. count)
return count
