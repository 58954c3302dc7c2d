-- Seats read from SQL, while the scope is still being loaded by the same loader. ARGV: lock, its token, scope, then
-- visitor and value in turn; without any: what is there of the scope is dropped first.
if call('GET', P .. ARGV[1]) ~= ARGV[2] then return 0 end
call('PEXPIRE', P .. ARGV[1], 60000)
local scope = ARGV[3]
if #ARGV == 3 then
  local n = 1
  local meta = call('HGET', nth(scope, 0), '#')
  if meta then n = unpack('>I4', meta, 5) end
  for i = 0, n - 1 do call('UNLINK', nth(scope, i)) end
  call('SREM', P .. 'n', scope)
end
for i = 4, #ARGV, 2 do
  local visitor = ARGV[i]
  local key = find(scope, visitor, unpack('>I6', sub('\0\0\0\0\0\0' .. visitor, -6)) % 2654435761)
  keep(scope, key, visitor, ARGV[i + 1])
end
return 1
