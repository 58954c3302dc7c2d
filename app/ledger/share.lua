-- Two visitors who are one person hold the same seats from here on: the one taken first stands, the other gets it
-- uncounted. ARGV: the one who stays, their spread, the other, their spread.
local number = 0
for _, scope in ipairs(call('SMEMBERS', P .. 'n')) do
  local own = string.byte(scope) == 108 and tonumber(string.match(scope, '%d+')) or 0
  local key1, value1 = find(scope, ARGV[1], tonumber(ARGV[2]))
  local key2, value2 = find(scope, ARGV[3], tonumber(ARGV[4]))
  local seat1, seat2 = value1 and read(value1, own), value2 and read(value2, own)
  if seat1 and seat1.m == 0 then seat1 = nil end
  if seat2 and seat2.m == 0 then seat2 = nil end
  if seat1 or seat2 then
    local first_stays = seat1 and (not seat2 or seat1.taken <= seat2.taken)
    local seat = first_stays and seat1 or seat2
    seat.counted, seat.lapses = false, false
    if first_stays then
      keep(scope, key2, ARGV[3], write(seat, own))
    else
      keep(scope, key1, ARGV[1], write(seat, own))
    end
    number = number + 1
  end
end
return number
