-- ARGV: 2 settle up to this sequence, 3 the sequence up to which this session asked before,
-- 4 mark, 5 its endpoint, 6 its server's start, 7 dead letters kept, 8 their age in milliseconds,
-- 9 entries, 10 bytes, 11 bytes of one entry, 12 slice,
-- 13 the sequence that this session asked before to end, 0 for none, 14 and 15 see tell,
-- 16 '1' where the mark leaves endings owed, 17 see schedule, 18 to 20 see tell_seen,
-- then for each entry that ends: sequence, reason ('' where it is not dead-lettered), detail, offset, attempts, the generated
-- id that it must have ('' for whichever), and what is told of it.
local ended_from = 21
local removed = 0

local function settle()
  local up_to = tonumber(ARGV[2])
  local ends = #ARGV >= ended_from
  if ends then
    may_tell()
  end
  if taken > settled and (up_to > 0 or ends or ARGV[13] ~= '0') then
    -- Calls are pipelined: had an earlier settlement of this session failed, this one would take away
    -- what that one was to end, or move the mark over it.
    local before = tonumber(ARGV[13]) - settled - 1
    local unburied = before >= 0 and redis.call('LINDEX', KEYS[2], before)
    if settled < tonumber(ARGV[3]) or unburied and unburied ~= '' then
      return redis.error_reply('BRIDGE-STALE an earlier settlement of this session did not happen')
    end
    local length = taken - settled
    local count = math.max(0, math.min(up_to - settled, length))
    local i = ended_from
    while i <= #ARGV do
      local sequence = tonumber(ARGV[i])
      local index = sequence - settled - 1
      local payload = index >= 0 and index < length and redis.call('LINDEX', KEYS[2], index)
      -- A place holder has ended already.
      if payload and payload ~= '' then
        local dead, later = ARGV[i + 1] ~= '', needs_content(i + 6)
        local id, taken_at
        if dead or later or ARGV[i + 5] ~= '' then
          local _, _, run_prefix, run_taken_at = parse_run(redis.call('LINDEX', KEYS[7], runs_before(sequence - 1)))
          id, taken_at = 'b-' .. run_prefix .. '-' .. ARGV[i], run_taken_at
        end
        if ARGV[i + 5] == '' or ARGV[i + 5] == id then
          if dead then
            bury(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], '0-' .. ARGV[i], id, ARGV[i + 4], taken_at, { 'payload', plain(payload) })
          end
          if later then
            local at = i
            tell(at + 6, function()
              return plain(payload)
            end, function(reason, detail)
              bury(reason or ARGV[at + 2], detail, -1, '0-' .. ARGV[at], id, ARGV[at + 4], taken_at, { 'payload', plain(payload) })
            end)
          else
            tell(i + 6)
          end
          -- What stays in the journal must not be sent by whoever reads it, nor lose its place in
          -- sequences that have no gaps.
          if index >= count then
            redis.call('LSET', KEYS[2], index, '')
          end
        end
      end
      i = behind(i + 6)
    end
    if count > 0 then
      settled = settled + count
      redis.call('LTRIM', KEYS[2], count, -1)
      redis.call('LTRIM', KEYS[7], runs_before(settled), -1)
      redis.call('HSET', KEYS[4], 'settled', '0-' .. number(settled))
      removed = count
    end
  end
  if ends then
    tell_awaited(ended_from, '0', function(kept)
      return { 'payload', kept }
    end)
  end
  tell_seen()
  -- Behind the dead letters: a new owner continues the hold up to the mark and sends none of it, so
  -- what was rejected there must not be forgotten.
  if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[4], 'mark', ARGV[4], 'mark-at', now, 'mark-endpoint', ARGV[5], 'mark-start', ARGV[6], 'mark-owed', ARGV[16])
  end
  return nil
end
