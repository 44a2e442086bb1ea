-- A page of dead letters, without the whole of their payloads.
-- KEYS: dead letters. ARGV: 1 'newest' or 'oldest' first, 2 the id behind which it begins ('' for the
-- end), 3 how many, 4 bytes of a payload that are shown.
-- Answers an array of: id, bytes of payload, then fields and values in turn.
local want, preview = tonumber(ARGV[3]), tonumber(ARGV[4])
local newest = ARGV[1] == 'newest'
local cursor = ARGV[2] ~= '' and '(' .. ARGV[2] or (newest and '+' or '-')
local page, bytes = {}, 0

-- Stops early where payloads are large: reading them must not block Redis. The caller asks again.
while #page < want and bytes < 4194304 do
  local found
  if newest then
    found = redis.call('XREVRANGE', KEYS[1], cursor, '-', 'COUNT', 1)
  else
    found = redis.call('XRANGE', KEYS[1], cursor, '+', 'COUNT', 1)
  end
  if #found == 0 then
    break
  end
  local id, fields = found[1][1], found[1][2]
  local letter, size = { id, 0 }, 0
  for i = 1, #fields, 2 do
    local value = fields[i + 1]
    if fields[i] == 'payload' or string.sub(fields[i], 1, 6) == 'field:' then
      size = size + #value
      if #value > preview then
        value = string.sub(value, 1, preview)
      end
    end
    letter[#letter + 1] = fields[i]
    letter[#letter + 1] = value
  end
  letter[2] = size
  bytes = bytes + size
  page[#page + 1] = letter
  cursor = '(' .. id
end
return page
