-- Takes one unit of each limit, or of none.
--
-- KEYS: for each limit a hash of the slots of its window, and how many units were taken in each.
-- ARGV: how many slots a window has; then for each limit how many units a window may have, and how long a
--       slot is in milliseconds.
-- Answers 1 if the units were taken, else 0; then for each limit how many are left, after how many
-- milliseconds there will be more (of a limit that refuses: one), and the slot.
--
-- The time is this server's own, so that all processes agree.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local slots = tonumber(ARGV[1])
local windows = {}
local passes = 1

for i, key in ipairs(KEYS) do
  local limit, length = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local current = math.floor(now / length)
  local window = { current = current, length = length, units = {}, order = {}, taken = 0, stale = {} }
  local stored = redis.call('HGETALL', key)
  local ahead = 0
  for j = 1, #stored, 2 do
    local slot, units = tonumber(stored[j]), tonumber(stored[j + 1])
    if slot > current then
      -- The clock was set back. The unit counts as if it were taken now: it opens nothing, and locks out
      -- for no longer than a window.
      ahead = ahead + units
      redis.call('HDEL', key, stored[j])
    elseif slot <= current - slots then
      window.stale[#window.stale + 1] = stored[j]
    else
      window.units[slot] = units
      window.order[#window.order + 1] = slot
      window.taken = window.taken + units
    end
  end
  if ahead > 0 then
    if not window.units[current] then
      window.order[#window.order + 1] = current
    end
    window.units[current] = redis.call('HINCRBY', key, current, ahead)
    redis.call('PEXPIRE', key, (slots + 1) * length)
    window.taken = window.taken + ahead
  end
  table.sort(window.order)

  window.left = limit - window.taken
  if window.left <= 0 then
    passes = 0
    -- There may be more than one too many, because the limit was lowered.
    local too_many = window.taken - limit + 1
    window.reset = slots * length
    for _, slot in ipairs(window.order) do
      too_many = too_many - window.units[slot]
      if too_many <= 0 then
        window.reset = (slot + slots) * length - now
        break
      end
    end
  end
  windows[i] = window
end

local answer = { passes }
for i, key in ipairs(KEYS) do
  local window = windows[i]
  local oldest = window.order[1] or window.current
  local reset = window.reset or (oldest + slots) * window.length - now
  if passes == 1 then
    redis.call('HINCRBY', key, window.current, 1)
    redis.call('PEXPIRE', key, (slots + 1) * window.length)
    if #window.stale > 0 then
      redis.call('HDEL', key, unpack(window.stale))
    end
    window.left = window.left - 1
  end
  answer[#answer + 1] = math.max(window.left, 0)
  answer[#answer + 1] = math.max(reset, 0)
  answer[#answer + 1] = window.current
end
return answer
