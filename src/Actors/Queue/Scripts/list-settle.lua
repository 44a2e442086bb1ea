-- ARGV: 2 settle up to this sequence, 3 the sequence up to which this session asked before,
-- 4 mark, 5 its endpoint, 6 its server's start, 7 dead letters kept, 8 their age in milliseconds,
-- 9 entries, 10 bytes, 11 bytes of one entry, 12 slice,
-- 13 the sequence that this session asked before to dead-letter, 0 for none,
-- then five for each rejected entry: sequence, reason, detail, offset, attempts.
local rejected_from = 14
local removed = 0

-- A journal element: '<id> 0-<sequence> <taken at> <kind>' LF payload.
local function parse(element)
  return string.match(element, '^(%S+) 0%-(%d+) (%d+) (%a)\n()')
end

local function settle()
  local up_to = tonumber(ARGV[2])
  local first = (up_to > 0 or #ARGV >= rejected_from or ARGV[13] ~= '0') and redis.call('LINDEX', KEYS[2], 0)
  if first then
    local _, head = parse(first)
    head = tonumber(head)
    if not head then
      return redis.error_reply('BRIDGE-JOURNAL the journal holds an element that Bridge did not write')
    end
    -- Calls are pipelined: had an earlier settlement of this session failed, this one would take away
    -- what that one was to dead-letter, or move the mark over it.
    local before = tonumber(ARGV[13]) - head
    local unburied = before >= 0 and redis.call('LINDEX', KEYS[2], before)
    if head <= tonumber(ARGV[3]) or unburied and select(4, parse(unburied)) == 'p' then
      return redis.error_reply('BRIDGE-STALE an earlier settlement of this session did not happen')
    end
    local length = redis.call('LLEN', KEYS[2])
    local count = math.max(0, math.min(up_to - head + 1, length))
    for i = rejected_from, #ARGV, 5 do
      local index = tonumber(ARGV[i]) - head
      if index >= 0 and index < length then
        local element = redis.call('LINDEX', KEYS[2], index)
        local id, sequence, taken_at, kind, start = parse(element)
        if sequence ~= ARGV[i] then
          return redis.error_reply('BRIDGE-JOURNAL the sequences of the journal have a gap')
        end
        -- A place holder is in the dead letters already.
        if kind == 'p' then
          bury(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], '0-' .. sequence, id, ARGV[i + 4], taken_at,
            { 'payload', string.sub(element, start) })
          -- What stays in the journal must not be sent by whoever reads it, nor lose its place in
          -- sequences that have no gaps.
          if index >= count then
            redis.call('LSET', KEYS[2], index, id .. ' 0-' .. sequence .. ' ' .. taken_at .. ' d\n')
          end
        end
      end
    end
    if count > 0 then
      redis.call('LTRIM', KEYS[2], count, -1)
      redis.call('HSET', KEYS[4], 'settled', '0-' .. string.format('%.0f', head + count - 1))
      removed = count
    end
  end
  -- Behind the dead letters: a new owner continues the hold up to the mark and sends none of it, so
  -- what was rejected there must not be forgotten.
  if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[4], 'mark', ARGV[4], 'mark-at', now, 'mark-endpoint', ARGV[5], 'mark-start', ARGV[6])
  end
  return nil
end
