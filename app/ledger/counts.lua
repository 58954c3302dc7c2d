-- Counts as they stand, lapsed seats taken off. ARGV[1]: live code, member, generation, counted_from, lapse slot, each
-- packed; answers 5 and the live code that is not loaded, or 1 and for each: counted, day, taken, presses; '' = none.
local answers = {}
local at = 1
while at <= #ARGV[1] do
  local lc, m, g, f, before
  lc, m, g, f, before, at = unpack('>I4I4HHI4', ARGV[1], at)
  if not tonumber(call('HGET', V, lc)) then return {5, lc} end
  local pressed = tonumber(call('HGET', P .. 'c:' .. lc, 'p' .. m .. '.' .. g) or 0)
  local c = count_of(lc, m, f)
  if sweep(c, before) then store(c) end
  local known = c.n + c.day + c.taken + pressed > 0
  answers[#answers + 1] = known and pack('>I4I4I4I4', c.n, c.day, c.taken, pressed) or ''
end
return {1, answers}
