-- Gives back one unit of each limit.
--
-- KEYS: as in take.lua. ARGV: for each limit the slot in which the unit was taken.
for i, key in ipairs(KEYS) do
  local units = tonumber(redis.call('HGET', key, ARGV[i]) or 0)
  if units > 1 then
    redis.call('HINCRBY', key, ARGV[i], -1)
  elseif units == 1 then
    redis.call('HDEL', key, ARGV[i])
  end
end
return 0
