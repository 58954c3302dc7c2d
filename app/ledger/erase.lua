-- Forgets a visitor in this bucket; counts stay, and what no longer has a seat behind it never lapses. ARGV: visitor,
-- spread, the visitor's name, live codes (' 1 2 ', '' = all), tombstones …
local number = 0
for i = 5, #ARGV do call('SADD', P .. 'x', ARGV[i]) end
for _, scope in ipairs(call('SMEMBERS', P .. 'n')) do
  local key, value = find(scope, ARGV[1], tonumber(ARGV[2]))
  if value then
    local own = string.byte(scope) == 108 and tonumber(string.match(scope, '%d+')) or 0
    local s = read(value, own)
    if ARGV[4] == '' or string.find(ARGV[4], ' ' .. s.lc .. ' ', 1, true) then
      if s.m ~= 0 and s.counted and s.lapses and s.pressed == 0 then
        local c = count_of(s.lc, s.m, s.f)
        if not has_lapsed(s, c) then
          forget_wait(c, s)
          store(c)
        end
      end
      for i = 7, #s.more, 4 do call('ZREM', P .. 'k:' .. unpack('>I4', s.more, i), ARGV[3]) end
      call('HDEL', key, ARGV[1])
      number = number + 1
    end
  end
end
return number
