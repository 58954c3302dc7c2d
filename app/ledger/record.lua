-- Appends the event of an answer that took no seat. ARGV: live code, the version it must have ('' = any), the event.
-- Answers 0 version: stale · 5: not loaded · 6: the stream is full · 1 epoch: appended
if ARGV[2] ~= '' then
  local current = tonumber(call('HGET', V, ARGV[1]) or nil)
  if not current then return {5} end
  if current > tonumber(ARGV[2]) then return {0, current} end
end
if is_choked() then return {6} end
tell(ARGV[3])
return {1, epoch()}
