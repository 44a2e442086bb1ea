-- Puts a dead letter back at the end of its queue, as the app had pushed it.
-- KEYS: queue, dead letters, a key that never exists. ARGV: 1 id, 2 'list' or 'stream'.
-- Answers 1 when it was put back, 0 when there is no such letter, -1 when its body is gone.
redis.call('DEL', KEYS[3])
local found = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])
if #found == 0 then
  return 0
end
local payload, named = nil, {}
local fields = found[1][2]
for i = 1, #fields, 2 do
  if fields[i] == 'payload' then
    payload = fields[i + 1]
  elseif string.sub(fields[i], 1, 6) == 'field:' then
    named[#named + 1] = string.sub(fields[i], 7)
    named[#named + 1] = fields[i + 1]
  end
end
-- Added before removed: a queue of the wrong type ends the script with nothing lost.
if payload and ARGV[2] == 'list' then
  redis.call('RPUSH', KEYS[1], payload)
elseif payload then
  redis.call('XADD', KEYS[1], '*', 'payload', payload)
elseif #named > 0 and ARGV[2] == 'stream' then
  redis.call('XADD', KEYS[1], '*', unpack(named))
else
  return -1
end
redis.call('XDEL', KEYS[2], ARGV[1])
return 1
