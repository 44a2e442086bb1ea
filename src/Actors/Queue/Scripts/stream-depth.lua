-- How much waits. KEYS as everywhere. ARGV: 1 group.
-- Answers entries not yet delivered, pending entries, the first undelivered id ('' for none), scheduled messages.
local delivered, pending, lag, groups = '0-0', 0, nil, 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, facts in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    groups = groups + 1
    local named = {}
    for i = 1, #facts, 2 do
      named[facts[i]] = facts[i + 1]
    end
    if named['name'] == ARGV[1] then
      delivered, pending, lag = named['last-delivered-id'], named['pending'], named['lag']
    end
  end
end
local first = redis.call('XRANGE', KEYS[1], '(' .. delivered, '+', 'COUNT', 1)
if #first == 0 then
  return { 0, pending, '', redis.call('ZCARD', KEYS[12]) }
end
-- Redis 6.2 has no lag, and Redis 7 none after a deletion: then what is in the stream and not
-- pending, which is too much where settled entries stay.
return { lag or math.max(0, redis.call('XLEN', KEYS[1]) - pending), pending, first[1][1],
  redis.call('ZCARD', KEYS[12]) }
