-- Whether an entry id comes before another. Both halves may exceed what a Lua number holds exactly.
local function before(left, right)
  local left_high, left_low = string.match(left, '^(%d+)%-(%d+)$')
  local right_high, right_low = string.match(right, '^(%d+)%-(%d+)$')
  if left_high == right_high then
    left_high, right_high = left_low, right_low
  end
  if #left_high ~= #right_high then
    return #left_high < #right_high
  end
  return left_high < right_high
end
