-- KEYS: lease. ARGV: 1 token, 2 time to live in milliseconds.
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^[^:]*') == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
