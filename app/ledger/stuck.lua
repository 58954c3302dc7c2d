-- Gives the seat up because its group lets nobody in, and never offers that member again. ARGV as of press.lua, then:
-- today, how often a day, how many milliseconds reports count, the visitor's name. Answers 0: no seat · 2 seat: too
-- often · 1 seat, its live code's reports of this member as name, moment, name, moment …, epoch
if not call('HGET', V, ARGV[4]) then return {5} end
local own, at, today = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
local key, value = find(ARGV[1], ARGV[2], tonumber(ARGV[3]))
local s = value and read(value, own)
if not s or s.m == 0 then return {0} end
local changes, day, times, refused = 0, 0, 0, ''
if s.more ~= '' then
  changes, day, times = unpack('>BI4B', s.more)
  refused = sub(s.more, 7)
end
if day ~= today then times = 0 end
if times >= tonumber(ARGV[9]) then return {2, value} end
if is_choked() then return {6} end
local counts = uncount(s)
local free = {m = 0, g = 0, f = 0, taken = at, counted_at = at, lc = s.lc, choice = 0, pressed = 0}
free.more = pack('>BI4B', changes, today, times + 1) .. refused .. pack('>I4', s.m)
local left = write(free, own)
call('HSET', key, ARGV[2], left)
local reports = P .. 'k:' .. s.m
call('ZREMRANGEBYSCORE', reports, '-inf', at - tonumber(ARGV[10]))
call('ZADD', reports, at, ARGV[11])
call('PEXPIRE', reports, tonumber(ARGV[10]) + 60000)
local choice = s.choice ~= 0 and s.choice or 'null'
tell(ARGV[7] .. ',"member_id":' .. s.m .. ',"choice_id":' .. choice .. ',"live_code_id":' .. s.lc .. '}', ARGV[1], left, counts)
return {1, value, call('ZRANGE', reports, 0, -1, 'WITHSCORES'), epoch()}
