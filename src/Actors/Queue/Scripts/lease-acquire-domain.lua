-- KEYS: lease, a key that never exists. ARGV: 1 token:epoch, 2 time to live in milliseconds.
redis.call('DEL', KEYS[2])
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^[^:]*') ~= string.match(ARGV[1], '^[^:]*') then
  return { 0, redis.call('PTTL', KEYS[1]) }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { 1, 0 }
