-- The least a scan must ask of Redis: held already? else the first with room, one more in it, remembered; and an event.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then
  held = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  redis.call('HINCRBY', KEYS[3], held, 1)
  redis.call('HSET', KEYS[1], ARGV[1], held)
end
redis.call('XADD', KEYS[4], '*', 'e', ARGV[2])
return held
