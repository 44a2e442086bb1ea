-- The journal of a list queue: {q}:inflight holds the payloads as the app pushed them, taken and not
-- settled, in order; '' holds the place of one that was dead-lettered. Their numbers are not stored
-- with them: the first is settled + 1, and none is missing up to taken. {q}:runs holds what entries
-- that were taken together have in common: '<first> <count> <prefix> <taken at>'.
-- Elements of the journal are therefore moved as they are: making one string of number and payload
-- for each of them was half of the work of a take (docs/performance.md).
local prefix, taken, settled

local function open_journal()
  local known = redis.call('HMGET', KEYS[4], 'session-prefix', 'taken', 'settled')
  if not known[1] or not known[2] or not known[3] then
    return redis.error_reply('BRIDGE-STALE the sequence counter is gone')
  end
  prefix, taken, settled = known[1], tonumber(known[2]), tonumber(string.sub(known[3], 3))
  if redis.call('LLEN', KEYS[2]) ~= taken - settled then
    return redis.error_reply('BRIDGE-JOURNAL the journal holds an element that Bridge did not write, or lacks one that it did')
  end
  return nil
end

local function parse_run(run)
  local first, count, run_prefix, taken_at = string.match(run, '^(%d+) (%d+) (%x+) (%d+)$')
  return tonumber(first), tonumber(count), run_prefix, taken_at
end

local function number(value)
  return string.format('%.0f', value)
end

-- How many runs end at this sequence or before it.
local function runs_before(sequence)
  local low, high, step = 0, redis.call('LLEN', KEYS[7]), 1
  local function ends_before(index)
    local first, count = parse_run(redis.call('LINDEX', KEYS[7], index))
    return first + count - 1 <= sequence
  end
  -- Mostly it is the first few, so gallop from there before halving.
  while low + step <= high and ends_before(low + step - 1) do
    low = low + step
    step = step * 2
  end
  high = math.min(high, low + step - 1)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if ends_before(middle) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end
