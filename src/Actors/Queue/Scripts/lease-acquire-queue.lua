-- KEYS: lease, confirmed, a key that never exists. ARGV: 1 token, 2 time to live in milliseconds.
redis.call('DEL', KEYS[3])
if redis.call('GET', KEYS[1]) then
  return { 0, redis.call('PTTL', KEYS[1]) }
end
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. epoch .. ':0', 'PX', ARGV[2])
return { 1, epoch }
