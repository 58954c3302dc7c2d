-- One visitor asks for a seat: version, held seat, first with room in the mode's order, remember, append the event.
-- ARGV: what is asked (packed), scope, visitor, members that stand (21 bytes each), tiers, the event without its end,
-- tombstones. Answers: 0 version: stale · 5: not loaded · 6: the stream is full · 3 seat: held · 4 full: no room ·
-- 1 seat, tier, is it a reserve's: assigned · 2 seat: returning; the last two end with the epoch.
local lc, version, at, today, before, choice, bits, rm, rg, klc, km, kg, kepoch, spread, roll =
  unpack('>I4I4I5I4I4I4BI4HI4I4HI4I4d', ARGV[1])
local scope, visitor, members, tiers = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local own = string.byte(scope) == 103 and 0 or lc -- in a dedupe group's scope a seat names its live code

local known = call('HMGET', V, 'e', lc, scope)
local epoch, current = tonumber(known[1]), tonumber(known[2])
if not epoch or not current or (own == 0 and not known[3]) then return {5} end
if version < current then return {0, current} end
if is_choked() then return {6} end
if version > current then call('HSET', V, lc, version) end

local function member_at(place)
  local m = unpack('<I4', members, place * 21 + 1)
  local g, f, limit, daily, shown, flags = unpack('>HHI4I4I4B', members, place * 21 + 5)
  return {m = m, g = g, f = f, limit = limit, daily = daily, shown = shown, lapses = flags % 2 == 1, reserve = flags > 1}
end

local function standing(m, g)
  local name, from = pack('<I4', m), 1
  while true do
    from = string.find(members, name, from, true)
    if not from then return nil end
    if (from - 1) % 21 == 0 then
      local kept = member_at((from - 1) / 21)
      return kept.g == g and kept or nil
    end
    from = from + 1
  end
end

local function answered(outcome, s, shown, rest)
  local line = ARGV[6] .. ',"outcome":"' .. outcome .. '","member_id":' .. s.m
  if shown > 0 then line = line .. ',"member_version":' .. shown end
  return line .. ',"choice_id":' .. (s.choice ~= 0 and s.choice or 'null') .. (rest or '') .. '}'
end

-- One seat more, if the limit allows.
local function take(k, c)
  if k.limit ~= NEVER and c.n >= k.limit then return false end
  c.n = c.n + 1
  if c.day < today then
    c.day, c.taken = today, 1
  else
    c.taken = c.taken + 1
  end
  return true
end

local key, value = find(scope, visitor, spread)
local s = value and read(value, own)
local held = s and s.m ~= 0
local expected = held and rm ~= 0 and s.m == rm and s.g == rg
local moves = band(bits, 1) ~= 0

if held then
  local k = standing(s.m, s.g)
  if k and not (moves and expected) then
    local lapsed = false
    if s.lapses and (s.pressed == 0 or not s.counted) then
      local c = count_of(s.lc, s.m, s.f)
      if sweep(c, before) then store(c) end
      lapsed = has_lapsed(s, c)
    end
    if not lapsed then
      tell(answered('returning', s, k.shown))
      return {2, value, 0, 0, epoch}
    end
    local c = count_of(lc, s.m, k.f)
    if sweep(c, before) then store(c) end
    if not moves and take(k, c) then
      s.counted, s.f, s.counted_at, s.lapses = true, k.f, at, k.lapses
      if k.lapses and s.pressed == 0 then s.counted_at = await(c, at) end
      store(c)
      value = write(s, own)
      call('HSET', key, visitor, value)
      tell(answered('returning', s, k.shown), scope, value, booked(c, s.g))
      return {2, value, 0, 0, epoch}
    end
  elseif not expected then
    return {3, value}
  end
elseif not value and km ~= 0 and kepoch < epoch then
  local k = standing(km, kg)
  if k and call('SISMEMBER', P .. 'x', ARGV[7]) == 0 and call('SISMEMBER', P .. 'x', ARGV[8]) == 0 then
    local c = count_of(lc, km, k.f)
    sweep(c, before)
    local counted = take(k, c)
    s = {m = km, g = kg, f = k.f, taken = at, counted_at = at, lc = klc, choice = choice, pressed = 0, more = ''}
    s.counted, s.lapses = counted, counted and k.lapses
    if s.lapses then s.counted_at = await(c, at) end
    store(c)
    value = write(s, own)
    keep(scope, key, visitor, value)
    tell(answered('returning', s, k.shown), scope, value, booked(c, kg))
    return {2, value, 0, 0, epoch}
  end
end

if tiers == '' then return {4, 0} end

local refused
if s and #s.more > 6 then
  refused = {}
  for i = 7, #s.more, 4 do refused[unpack('>I4', s.more, i)] = true end
end

local wake -- of who was found full: when the first of their seats lapses

local function room(k, pinned)
  local c = count_of(lc, k.m, k.f)
  if k.lapses and sweep(c, before) then store(c) end
  if k.limit ~= NEVER and c.n >= k.limit then
    if k.lapses and c.waits ~= '' then
      local slot = unpack('>I4', c.waits)
      if not wake or slot < wake then wake = slot end
    end
    return nil
  end
  if not pinned and k.daily ~= NEVER and c.day == today and c.taken >= k.daily then return nil end
  return c
end

local T = P .. 't:' .. lc

-- Whom the mode chooses in one tier. What is remembered of a tier between claims: where its turns stand, and which
-- positions of its cycle are still open ('' = all); good while version, day and releases are the same and no seat of a
-- full member has lapsed since. So the cost does not grow with the members that are full.
local function choose(mode, pinned, name, length, order)
  local function member_in(position)
    return member_at(unpack('>H', tiers, order + 2 * (position - 1)))
  end
  if mode == 0 then
    local k = member_in(1)
    local c = not (refused and refused[k.m]) and room(k, pinned)
    if c or length == 1 then return c and k, c end
  end
  local releases, last, open, state = 0, 0, '', nil
  if mode > 0 or length > 4 then
    local got = call('HMGET', T, 'r', name)
    releases, state = tonumber(got[1] or 0), got[2]
  end
  local stored = state and true
  if state then
    local v, day, r, w
    v, day, r, w, last, open = unpack('>I4I4I4I4I4', state)
    open = sub(state, 21)
    if v == version and day == today and r == releases and before <= w then
      if w ~= NEVER and (not wake or w < wake) then wake = w end
    else
      open, state = '', nil
      if mode == 0 then last = 0 end
    end
  end
  if open == '\0\0' then return nil end -- all were full, and nothing has changed
  local total = open == '' and length or #open / 2
  local function position_at(i)
    return open == '' and i or unpack('>H', open, 2 * i - 1)
  end
  local found, c, position
  local shut, closed = {}, false
  if mode == 2 then
    local mark = roll * total
    local i = math.floor(mark)
    position = position_at(i + 1)
    local k = member_in(position)
    if not (refused and refused[k.m]) then c = room(k, pinned) end
    if c then return k, c end
    local candidates, checked = {}, {}
    for j = 1, total do
      local p = position_at(j)
      local place = unpack('>H', tiers, order + 2 * (p - 1))
      if checked[place] == nil then
        local one = member_at(place)
        checked[place] = room(one, pinned) and true or false
      end
      if checked[place] then
        if not (refused and refused[member_at(place).m]) then candidates[#candidates + 1] = p end
      else
        shut[place], closed = true, true
      end
    end
    if #candidates > 0 then
      found = member_in(candidates[math.floor((mark - i) * #candidates) + 1])
      c = room(found, pinned)
    end
  else
    local start = 1
    if mode == 1 then -- the first open position after the last one served
      local low, high = 1, total + 1
      while low < high do
        local middle = math.floor((low + high) / 2)
        if position_at(middle) > last then high = middle else low = middle + 1 end
      end
      start = low
    else
      start = last + 1
    end
    local passed, prefix = false, true
    for step = 0, (mode == 1 and total or total - last) - 1 do
      position = position_at((start - 1 + step) % total + 1)
      local place = unpack('>H', tiers, order + 2 * (position - 1))
      if not shut[place] then
        local k = member_at(place)
        if refused and refused[k.m] then
          passed, prefix = true, false
        else
          c = room(k, pinned)
          if c then
            found = k
            break
          end
          shut[place], closed = true, true
          if mode == 0 and prefix then last = position end
        end
      end
    end
    if mode == 1 and found and not passed then last = position end
  end
  if mode == 0 then
    if length <= 4 or not closed then return found, c end
  else
    if closed then
      local left = {}
      for i = 1, total do
        local p = position_at(i)
        if not shut[unpack('>H', tiers, order + 2 * (p - 1))] then left[#left + 1] = pack('>H', p) end
      end
      open = table.concat(left)
      if open == '' then open = '\0\0' end
    end
    if mode == 2 and not closed then return found, c end
  end
  if not stored and call('HLEN', T) > 500 then call('DEL', T) end
  call('HSET', T, name, pack('>I4I4I4I4I4', version, today, releases, wake or NEVER, last) .. open)
  if mode == 1 and not state then
    local ids = {}
    for i = 1, length do ids[i] = pack('>I4', member_in(i).m) end
    call('HSET', T, 'o' .. name, table.concat(ids))
  end
  return found, c
end

local at_tier, pinned_first, full, number = 1, false, 0, 0
while at_tier <= #tiers do
  local rank, mode, pinned, name, length
  rank, mode, pinned, name, length, at_tier = unpack('>sBBsI4', tiers, at_tier)
  local order = at_tier
  at_tier = at_tier + 2 * length
  if pinned == 1 then pinned_first = true end
  wake = nil
  local k, c = choose(mode, pinned == 1, name, length, order)
  if k then
    local counts, more = '', s and s.more or ''
    if band(bits, 2) ~= 0 then
      local changes = more == '' and 0 or string.byte(more)
      more = string.char(math.min(changes + 1, 255)) .. (more == '' and '\0\0\0\0\0' or sub(more, 2))
    end
    if held then
      counts = uncount(s)
      c = count_of(lc, k.m, k.f) -- it may have been the same count
    end
    take(k, c)
    s = {m = k.m, g = k.g, f = k.f, taken = at, counted_at = at, lc = lc, choice = choice, pressed = 0, more = more}
    s.counted, s.lapses = true, k.lapses
    if k.lapses then s.counted_at = await(c, at) end
    store(c)
    value = write(s, own)
    keep(scope, key, visitor, value)
    local rest = ',"rank":"' .. (k.reserve and 'reserve' or rank) .. '"'
    if pinned_first and pinned == 0 then rest = rest .. ',"reason":"pin_skipped"' end
    tell(answered('assigned', s, k.shown, rest), scope, value, counts .. booked(c, k.g))
    return {1, value, number, k.reserve and 1 or 0, epoch, c.n}
  end
  if refused then
    for i = 0, length - 1 do
      if not refused[member_at(unpack('>H', tiers, order + 2 * i)).m] then full = 1 end
    end
  else
    full = 1
  end
  number = number + 1
end
return {4, full}
