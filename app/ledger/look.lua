-- A visitor's value in a scope, and whether the seat in it has lapsed. ARGV: scope, visitor, spread, what must be
-- loaded, the scope's live code or 0.
if not call('HGET', V, ARGV[4]) then return {5} end
local _, value = find(ARGV[1], ARGV[2], tonumber(ARGV[3]))
if not value then return {1} end
local s = read(value, tonumber(ARGV[5]))
local lapsed = s.m ~= 0 and has_lapsed(s, count_of(s.lc, s.m, s.f))
return {1, value, lapsed and 1 or 0}
