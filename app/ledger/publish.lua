-- A live code has a newer version in SQL. ARGV: live code, version. Where it is not loaded there is nothing to tell.
local current = tonumber(call('HGET', V, ARGV[1]) or nil)
if current and current < tonumber(ARGV[2]) then call('HSET', V, ARGV[1], ARGV[2]) end
return current
