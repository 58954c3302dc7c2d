-- A live code moves to another bucket, because its dedupe group was changed: from here on nobody claims here. ARGV: live
-- code, the scope it moves to. Its counts, to be written there; they stay here until they are.
call('HSET', V, ARGV[1], ARGV[2])
return call('HGETALL', P .. 'c:' .. ARGV[1])
