-- ARGV: 2 settle up to this id, 3 the id up to which this session asked before,
-- 4 mark, 5 its endpoint, 6 its server's start, 7 dead letters kept, 8 their age in milliseconds,
-- 9 entries, 10 bytes, 11 bytes of one entry, 12 slice,
-- 13 the id that this session asked before to end, 0-0 for none, 14 and 15 see tell,
-- 16 '1' where the mark leaves endings owed, 17 see schedule, 18 to 20 see tell_seen,
-- 21 group, 22 '1' to delete what is settled, 23 prefix of the generated ids,
-- then for each entry that ends: id, reason ('' where it is not dead-lettered), detail, offset, attempts, the generated
-- id that it must have ('' for whichever), and what is told of it.
local group, id_prefix = ARGV[21], ARGV[23]
local ended_from = 24
local removed, unfinished = 0, 0

local function taken_at(idle)
  return string.format('%.0f', tonumber(now) - idle)
end

-- The fields that the app made, and what Bridge says of an entry that it has added again.
local function parted(fields)
  local count = #fields
  -- None of Bridge's own has more, and Lua cannot spread many more.
  if count > 2 and count <= 4002 and fields[count - 1] == '!' then
    return { unpack(fields, 1, count - 2) }, fields[count]
  end
  return fields, nil
end

-- What of an entry's fields is sent: the payload of what the app made of one field, or named so; else
-- all of them, of which Bridge makes an envelope.
local function sent_of(fields)
  local own, said = parted(fields)
  local payload
  if #own == 2 then
    payload = own[2]
  end
  for i = 1, #own, 2 do
    payload = payload or own[i] == 'payload' and own[i + 1]
  end
  if not payload then
    return fields
  end
  return said and said .. '\n' .. payload or payload
end

-- The dead letter's form of an entry's fields: what a list would hold as 'payload', else each by
-- its name, so that it can be put back as it was.
local function content_of(all)
  local fields = parted(all)
  local sent = sent_of(fields)
  if sent ~= fields then
    return { 'payload', sent }
  end
  -- Lua cannot spread more than about 8,000 arguments; so many fields never were a message.
  if #fields > 4000 then
    return { 'payload', cjson.encode(fields) }
  end
  local named = {}
  for i = 1, #fields, 2 do
    named[i] = 'field:' .. fields[i]
    named[i + 1] = fields[i + 1]
  end
  return named
end

local function acknowledge(ids, delete)
  removed = removed + redis.call('XACK', KEYS[1], group, unpack(ids))
  if delete then
    redis.call('XDEL', KEYS[1], unpack(ids))
  end
end

-- Another group still needs what ours has settled.
local function may_delete()
  return ARGV[22] == '1' and #redis.call('XINFO', 'GROUPS', KEYS[1]) == 1
end

local function bury_rejected(i, idle)
  local id = ARGV[i]
  local found = redis.call('XRANGE', KEYS[1], id, id)
  if #found > 0 then
    bury(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], id, id_prefix .. id, ARGV[i + 4], taken_at(idle), content_of(found[1][2]))
  else
    bury('trimmed', ARGV[i + 1] .. ': ' .. ARGV[i + 2], -1, id, id_prefix .. id, ARGV[i + 4], taken_at(idle), {})
  end
end

-- Whether an entry is in the group's journal, and since when.
local function idle_of(id)
  local pending = redis.call('XPENDING', KEYS[1], group, id, id, 1)
  return pending[1] and pending[1][3]
end

local function content_of_kept(kept)
  return content_of(cmsgpack.unpack(kept))
end

-- What must be added again to send the entry once more. Another group would see it as a new one.
local function kept_of(id)
  local found = redis.call('XRANGE', KEYS[1], id, id)
  if #found == 0 then
    return nil, 'trimmed'
  elseif #redis.call('XINFO', 'GROUPS', KEYS[1]) > 1 then
    return nil, 'shared-stream'
  elseif #found[1][2] > 4000 then
    return nil, 'oversize'
  end
  return cmsgpack.pack((parted(found[1][2])))
end

local function settle()
  local up_to = ARGV[2]
  -- Calls are pipelined: had an earlier settlement of this session failed, this one would take away
  -- what that one was to dead-letter, or move the mark over it.
  local first = up_to ~= '0-0' and redis.call('XPENDING', KEYS[1], group, '-', '+', 1)[1]
  if first and not before(ARGV[3], first[1]) or ARGV[13] ~= '0-0' and idle_of(ARGV[13]) then
    return redis.error_reply('BRIDGE-STALE an earlier settlement of this session did not happen')
  end
  local delete = (first or #ARGV >= ended_from) and may_delete()
  if #ARGV >= ended_from then
    may_tell()
  end
  -- Trimming is half the work of deleting entry by entry. It may go no further than what is settled: where
  -- the stream has older entries than the journal, another's or left by an older setting, those stay.
  local head = first and delete and redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  local trim = head and not before(head[1], first[1])
  local last
  local i, gone = ended_from, {}
  while i <= #ARGV do
    local idle = idle_of(ARGV[i])
    -- One that is pending no more has ended by an earlier run of this settlement.
    if idle and (ARGV[i + 5] == '' or ARGV[i + 5] == id_prefix .. ARGV[i]) then
      if ARGV[i + 1] ~= '' then
        bury_rejected(i, idle)
      end
      if needs_content(i + 6) then
        local at = i
        tell(at + 6, function()
          return kept_of(ARGV[at])
        end, function(reason, detail)
          local found = redis.call('XRANGE', KEYS[1], ARGV[at], ARGV[at])
          bury(reason or ARGV[at + 2], detail, -1, ARGV[at], id_prefix .. ARGV[at], ARGV[at + 4], taken_at(idle),
            #found > 0 and content_of(found[1][2]) or {})
        end)
      else
        tell(i + 6)
      end
      gone[#gone + 1] = ARGV[i]
      if not before(up_to, ARGV[i]) and not (last and before(ARGV[i], last)) then
        last = ARGV[i]
      end
    end
    i = behind(i + 6)
  end
  tell_awaited(ended_from, '0-0', content_of_kept)
  -- By themselves, also in the prefix: one that is told of must not be there when an unfinished settlement is asked for again.
  if #gone > 0 then
    acknowledge(gone, delete)
  end
  tell_seen()
  -- Behind the dead letters: a new owner continues the hold up to the mark and sends none of it, so
  -- what was rejected there must not be forgotten.
  if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[4], 'mark', ARGV[4], 'mark-at', now, 'mark-endpoint', ARGV[5], 'mark-start', ARGV[6], 'mark-owed', ARGV[16])
  end
  if first then
    local ids
    local rest
    repeat
      -- Some 80 ms of work; the caller asks again for the rest.
      if removed >= 20000 then
        unfinished = 1
        break
      end
      local pending = redis.call('XPENDING', KEYS[1], group, '-', up_to, 1000)
      ids = {}
      for i = 1, #pending do
        ids[i] = pending[i][1]
      end
      if #ids > 0 then
        rest = ids[#ids]
        acknowledge(ids, delete and not trim)
      end
    until #ids < 1000
    if trim and rest then
      -- All before the last one, and that one by itself.
      redis.call('XTRIM', KEYS[1], 'MINID', '=', rest)
      redis.call('XDEL', KEYS[1], rest)
    end
    -- Up to where nothing of the prefix is left.
    if unfinished == 1 or not last or rest and before(last, rest) then
      last = rest
    end
    if last then
      redis.call('HSET', KEYS[4], 'settled', last)
    end
  end
  return nil
end
