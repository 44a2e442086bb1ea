-- KEYS: lease, confirmed, a key that never exists, the operator's order. ARGV: 1 token, 2 time to live in milliseconds.
redis.call('DEL', KEYS[3])
local held = redis.call('GET', KEYS[1])
if held then
  -- Ours already: an attempt whose answer was lost. It may also be this one that was given up and
  -- runs late, so what the answered one was granted stays as it is.
  local token, epoch = string.match(held, '^([^:]*):(%d+):')
  if token ~= ARGV[1] then
    return { 0, redis.call('PTTL', KEYS[1]) }
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return { 1, tonumber(epoch) }
end
-- Of PTTL's answers -1 and -2 have a meaning.
if redis.call('GET', KEYS[4]) == 'drain' then
  return { 0, -3 }
end
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. epoch .. ':0', 'PX', ARGV[2])
return { 1, epoch }
