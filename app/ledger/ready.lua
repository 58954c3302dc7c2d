-- Ends a load: counts, and what now stands here. ARGV: lock, its token, live code or '', then field and value of its
-- counts in turn, '', then field and value of the versions.
if call('GET', P .. ARGV[1]) ~= ARGV[2] then return 0 end
local i = 4
if ARGV[3] ~= '' then call('DEL', P .. 'c:' .. ARGV[3], P .. 't:' .. ARGV[3]) end
while ARGV[i] ~= '' do
  call('HSET', P .. 'c:' .. ARGV[3], ARGV[i], ARGV[i + 1])
  i = i + 2
end
for j = i + 1, #ARGV, 2 do call('HSET', V, ARGV[j], ARGV[j + 1]) end
call('DEL', P .. ARGV[1])
return 1
