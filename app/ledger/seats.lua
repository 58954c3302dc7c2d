-- What every script of the ledger knows: how seats and counts are written, and how they are found and changed.
-- Layouts as in packing.py; keys as in keys.py. KEYS[1] is the bucket's key of versions, which names the bucket.
local call, unpack, pack, band, sub = redis.call, struct.unpack, struct.pack, bit.band, string.sub
local V = KEYS[1]
local P = sub(V, 1, -2)
local NEVER, SLOT, MOST_WAITS, FULL_HASH = 4294967295, 60000, 2048, 80

-- A scope's seats are a linear hash: many small hashes, which Redis keeps as listpacks (a third of the memory). `#` in
-- the first one holds 2^level and how many there are; absent: only the first.
local function nth(scope, i)
  return P .. 's' .. (i > 0 and i or '') .. ':' .. scope
end

local function index_of(half, n, spread)
  local i = spread % (half * 2)
  if i >= n then i = spread % half end
  return i
end

-- The key of the hash a visitor belongs in, and their value.
local function find(scope, visitor, spread)
  local first = P .. 's:' .. scope
  local got = call('HMGET', first, '#', visitor)
  if not got[1] then return first, got[2] end
  local half, n = unpack('>I4I4', got[1])
  local i = index_of(half, n, spread)
  if i == 0 then return first, got[2] end
  local key = nth(scope, i)
  return key, call('HGET', key, visitor)
end

local function split(scope)
  local first = P .. 's:' .. scope
  local half, n = 1, 1
  local meta = call('HGET', first, '#')
  if meta then half, n = unpack('>I4I4', meta) end
  local old, new = nth(scope, n - half), nth(scope, n)
  local all = call('HGETALL', old)
  for i = 1, #all, 2 do
    local visitor = all[i]
    if visitor ~= '#' then
      local spread = unpack('>I6', sub('\0\0\0\0\0\0' .. visitor, -6)) % 2654435761
      if index_of(half, n + 1, spread) == n then
        call('HSET', new, visitor, all[i + 1])
        call('HDEL', old, visitor)
      end
    end
  end
  n = n + 1
  if n == half * 2 then half = n end
  call('HSET', first, '#', pack('>I4I4', half, n))
end

local function keep(scope, key, visitor, value)
  if call('HSET', key, visitor, value) == 1 then
    local length = call('HLEN', key)
    if length > FULL_HASH then
      split(scope)
    elseif length == 1 then
      call('SADD', P .. 'n', scope)
    end
  end
end

local function read(value, lc)
  local s, _, at = {}
  s.flags = string.byte(value)
  if band(s.flags, 4) == 0 then
    _, s.m, s.g, s.f, s.taken, at = unpack('>BI3BBI5', value)
  else
    _, s.m, s.g, s.f, s.taken, at = unpack('>BI4HHI5', value)
  end
  s.lc, s.choice, s.pressed, s.counted_at, s.more = lc, 0, 0, s.taken, ''
  s.counted, s.lapses = band(s.flags, 1) ~= 0, band(s.flags, 2) ~= 0
  if s.flags > 7 then
    if band(s.flags, 8) ~= 0 then s.choice, at = unpack('>I4', value, at) end
    if band(s.flags, 16) ~= 0 then s.pressed, at = unpack('>I5', value, at) end
    if band(s.flags, 32) ~= 0 then s.counted_at, at = unpack('>I5', value, at) end
    if band(s.flags, 64) ~= 0 then s.lc, at = unpack('>I4', value, at) end
    if band(s.flags, 128) ~= 0 then s.more = sub(value, at) end
  end
  return s
end

local function write(s, lc)
  local flags = (s.counted and 1 or 0) + (s.lapses and 2 or 0)
  local tail = ''
  if s.choice ~= 0 then flags, tail = flags + 8, pack('>I4', s.choice) end
  if s.pressed ~= 0 then flags, tail = flags + 16, tail .. pack('>I5', s.pressed) end
  if s.counted_at ~= s.taken then flags, tail = flags + 32, tail .. pack('>I5', s.counted_at) end
  if s.lc ~= lc then flags, tail = flags + 64, tail .. pack('>I4', s.lc) end
  if s.more ~= '' then flags, tail = flags + 128, tail .. s.more end
  if s.m > 16777215 or s.g > 255 or s.f > 255 then
    return pack('>BI4HHI5', flags + 4, s.m, s.g, s.f, s.taken) .. tail
  end
  return pack('>BI3BBI5', flags, s.m, s.g, s.f, s.taken) .. tail
end

local function count_of(lc, m, f)
  local c = {lc = lc, m = m, f = f}
  local value = call('HGET', P .. 'c:' .. lc, m .. '.' .. f)
  if value then
    c.n, c.day, c.taken, c.swept = unpack('>I4I4I4I4', value)
    c.waits = sub(value, 17)
  else
    c.n, c.day, c.taken, c.swept, c.waits = 0, 0, 0, 0, ''
  end
  return c
end

local function store(c)
  local value = pack('>I4I4I4I4', c.n, c.day, c.taken, c.swept) .. c.waits
  call('HSET', P .. 'c:' .. c.lc, c.m .. '.' .. c.f, value)
end

-- Room may have come up where there was none: whoever remembers who is full looks again.
local function reopen(lc)
  if call('EXISTS', P .. 't:' .. lc) == 1 then call('HINCRBY', P .. 't:' .. lc, 'r', 1) end
end

-- Takes seats off the count that lapsed unpressed; whether there were any.
local function sweep(c, before)
  local at = 1
  while at < #c.waits do
    local slot, number = unpack('>I4I4', c.waits, at)
    if slot >= before then break end
    c.n, c.swept, at = c.n - number, slot + 1, at + 8
  end
  if at == 1 then return false end
  c.waits = sub(c.waits, at)
  reopen(c.lc)
  return true
end

-- A seat of slot s waits in the first pair of slot s or later, so that pairs may be merged.
local function pair_of(c, slot)
  for at = 1, #c.waits, 8 do
    local there, number = unpack('>I4I4', c.waits, at)
    if there >= slot then return at, there, number end
  end
end

local function put_pair(c, at, slot, number)
  local pair = number > 0 and pack('>I4I4', slot, number) or ''
  c.waits = sub(c.waits, 1, at - 1) .. pair .. sub(c.waits, at + 8)
end

-- One seat more that may lapse; the moment it is counted from, which is never in a slot that was swept.
local function await(c, at)
  local slot = math.floor(at / SLOT)
  if slot < c.swept then slot, at = c.swept, c.swept * SLOT end
  local length = #c.waits
  if length == 0 or unpack('>I4', c.waits, length - 7) < slot then
    c.waits = c.waits .. pack('>I4I4', slot, 1)
    if length > MOST_WAITS then
      local merged = {}
      for i = 1, #c.waits, 16 do
        local slot1, number1 = unpack('>I4I4', c.waits, i)
        local slot2, number2 = slot1, 0
        if i + 8 < #c.waits then slot2, number2 = unpack('>I4I4', c.waits, i + 8) end
        merged[#merged + 1] = pack('>I4I4', slot2, number1 + number2)
      end
      c.waits = table.concat(merged)
    end
  else
    local there, found, number = pair_of(c, slot)
    put_pair(c, there, found, number + 1)
  end
  return at
end

local function forget_wait(c, s)
  local at, slot, number = pair_of(c, math.floor(s.counted_at / SLOT))
  if at then put_pair(c, at, slot, number - 1) end
end

local function has_lapsed(s, c)
  return s.lapses and (not s.counted or (s.pressed == 0 and s.counted_at < c.swept * SLOT))
end

-- A count as SQL is told of it.
local function booked(c, g)
  local pressed = tonumber(call('HGET', P .. 'c:' .. c.lc, 'p' .. c.m .. '.' .. g) or 0)
  return pack('>I4I4HHI4I4I4I4I4', c.lc, c.m, c.f, g, c.n, c.day, c.taken, c.swept, pressed)
end

-- The seat is given up: it leaves its count, and its press with it. A count that stands in another bucket by now (its
-- live code left the dedupe group) keeps it.
local function uncount(s)
  if not tonumber(call('HGET', V, s.lc)) then return '' end
  local c = count_of(s.lc, s.m, s.f)
  if s.counted and not has_lapsed(s, c) then
    c.n = c.n - 1
    if s.lapses and s.pressed == 0 then forget_wait(c, s) end
    store(c)
    reopen(s.lc)
  end
  if s.pressed ~= 0 then call('HINCRBY', P .. 'c:' .. s.lc, 'p' .. s.m .. '.' .. s.g, -1) end
  return booked(c, s.g)
end

-- Which life of this bucket it is; 0 before the first.
local function epoch()
  return tonumber(call('HGET', V, 'e') or 0)
end

-- The stream is bounded: where nobody drains it, scans are refused rather than events dropped.
local function is_choked()
  return call('XLEN', P .. 'e') >= MOST_EVENTS
end

local function tell(event, scope, value, counts)
  if value then
    call('XADD', P .. 'e', '*', 'e', event, 's', scope, 'v', value, 'c', counts)
  else
    call('XADD', P .. 'e', '*', 'e', event)
  end
end
