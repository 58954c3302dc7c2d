-- The first long-press of the seat held. ARGV: scope, visitor, spread, what must be loaded, the scope's live code or 0,
-- the moment, the event without its end. Answers 0: no seat is held · 1: pressed before · 1 epoch, value: pressed now
if not call('HGET', V, ARGV[4]) then return {5} end
local own = tonumber(ARGV[5])
local key, value = find(ARGV[1], ARGV[2], tonumber(ARGV[3]))
local s = value and read(value, own)
if not s or s.m == 0 then return {0} end
if s.pressed ~= 0 then return {1} end
if is_choked() then return {6} end
local counts = ''
if tonumber(call('HGET', V, s.lc)) then
  local c = count_of(s.lc, s.m, s.f)
  if has_lapsed(s, c) then
    s.counted = false
  elseif s.counted and s.lapses then
    forget_wait(c, s)
    store(c)
  end
  call('HINCRBY', P .. 'c:' .. s.lc, 'p' .. s.m .. '.' .. s.g, 1)
  counts = booked(c, s.g)
end
s.pressed = tonumber(ARGV[6])
value = write(s, own)
call('HSET', key, ARGV[2], value)
local choice = s.choice ~= 0 and s.choice or 'null'
tell(ARGV[7] .. ',"member_id":' .. s.m .. ',"choice_id":' .. choice .. ',"live_code_id":' .. s.lc .. '}', ARGV[1], value, counts)
return {1, epoch(), value}
