-- Appends stanzas that came in, but for those that a call before has appended, which was given up or is repeated.
-- KEYS: the stream. ARGV: 1 entries to keep, 2 the session of the stamps, then for each entry its number, the
-- count of what follows, and names and values in turn.
local known = 0
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last then
  for i = 1, #last[2], 2 do
    if last[2][i] == 'stamp' then
      local session, number = string.match(last[2][i + 1], '^(%w+)%-(%d+)$')
      if session == ARGV[2] then
        known = tonumber(number)
      end
    end
  end
end
local at = 3
local appended = 0
while ARGV[at] do
  local count = tonumber(ARGV[at + 1])
  if tonumber(ARGV[at]) > known then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, at + 2, at + 1 + count))
    appended = appended + 1
  end
  at = at + 2 + count
end
return appended
