-- Adds to the dead-letter stream. Always before the entry is removed from where it was: should the
-- stream's key hold another type, the script ends here and nothing is lost.
local dead, dead_trimmed = 0, 0

local function bury(reason, detail, offset, position, id, attempts, taken_at, content)
  redis.call('XADD', KEYS[5], '*', 'reason', reason, 'detail', detail, 'offset', offset,
    'position', position, 'id', id, 'attempts', attempts, 'at', now, 'taken-at', taken_at,
    'queue', KEYS[1], unpack(content))
  dead = dead + 1
end

local function trim_dead(most, age)
  if dead > 0 then
    dead_trimmed = redis.call('XTRIM', KEYS[5], 'MAXLEN', '=', most)
      + redis.call('XTRIM', KEYS[5], 'MINID', '=', string.format('%.0f', math.max(0, tonumber(now) - tonumber(age))))
  end
end
