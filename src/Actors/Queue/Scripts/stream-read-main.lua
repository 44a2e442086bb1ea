-- Reads the pending entries behind an id, through XPENDING and XRANGE: XREADGROUP would count as
-- another delivery and forget when the first one was. One whose body is gone is dead-lettered;
-- after many of them the call ends early, as unfinished: the caller reads on behind the last one.
local refused = fenced()
if refused then
  return refused
end
local want, room = tonumber(ARGV[9]), tonumber(ARGV[10])
local from = '(' .. ARGV[2]
local read, times, gone = {}, {}, {}
local count, bytes = 0, 0
local stop = false
while count < want and not stop do
  local asked = math.min(100, want - count)
  local pending = redis.call('XPENDING', KEYS[1], group, from, '+', asked)
  for i = 1, #pending do
    local id = pending[i][1]
    local found = redis.call('XRANGE', KEYS[1], id, id)
    if #found > 0 then
      local fields = found[1][2]
      count = count + 1
      read[2 * count - 1] = id
      read[2 * count] = sent_of(fields)
      times[count] = taken_at(pending[i][3])
      for j = 1, #fields do
        bytes = bytes + #fields[j]
      end
    else
      bury('trimmed', 'the stream no longer has it', -1, id, id_prefix .. id, 0, taken_at(pending[i][3]), {})
      tell_dead('trimmed', id_prefix .. id, taken_at(pending[i][3]))
      acknowledge({ id }, false)
      gone[#gone + 1] = id
      gone[#gone + 1] = -1
    end
    from = '(' .. id
    -- Some 10 ms of work. Each that is gone is two elements: its id and -1.
    if #gone >= 1000 then
      unfinished = 1
    end
    if bytes >= room or unfinished == 1 then
      stop = true
      break
    end
  end
  stop = stop or #pending < asked
end
trim_dead(ARGV[7], ARGV[8])
return { 0, dead, dead_trimmed, -1, 1, unfinished, gone, times, read }
