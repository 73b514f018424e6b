-- Breakers of one call: the account's and the endpoint's.
--
-- KEYS[1] the account's breaker, KEYS[2] the endpoint's.
-- ARGV  1 what happened: 'admit' | 'good' | 'slow' | 'fail' | 'close'   2 the time in seconds, '' for the server's own
--       3 which breakers the call probes: 0, 1 account, 2 endpoint, 3 both
--       4 failures in a row that open, 5 first cool-down, 6 longest cool-down, 7 life of a probe that says nothing
-- fail and close: 8 reason, 9 detail
-- close: 10 which breaker opens at once: 1 account, 2 endpoint
-- Gives 1 when refused, seconds to wait, probes, failures in a row, reason, detail, since, what changed.

local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local event, probes = ARGV[1], tonumber(ARGV[3])
local threshold, first, longest, probing = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local KEEP_SECONDS = 604800
local BUSY_SECONDS = 5

local function is_probe(which) return probes == which or probes == 3 end

local function read(which)
  local told = redis.call('HMGET', KEYS[which], 'probe_at', 'probing_until', 'cooldown', 'failures', 'reason', 'detail',
    'since')
  return {
    probe_at = tonumber(told[1]), probing_until = tonumber(told[2]) or 0, cooldown = tonumber(told[3]),
    failures = tonumber(told[4]) or 0, reason = told[5] or '', detail = told[6] or '', since = told[7] or '',
  }
end

local function keep(which, ...)
  redis.call('HSET', KEYS[which], ...)
  redis.call('EXPIRE', KEYS[which], KEEP_SECONDS)
end

local function moment(seconds) return string.format('%.3f', seconds) end

local function open(which, breaker)
  if breaker.probe_at and not is_probe(which) then return breaker.probe_at - now end
  local cooldown = first
  if breaker.probe_at then cooldown = math.min(longest, breaker.cooldown * 2) end
  keep(which, 'cooldown', cooldown, 'probe_at', moment(now + cooldown), 'probing_until', 0,
    'since', breaker.probe_at and breaker.since or moment(now), 'reason', ARGV[8], 'detail', ARGV[9])
  return cooldown
end

local both = {read(1), read(2)}

if event == 'admit' then
  local due = 0
  for which, breaker in ipairs(both) do
    if breaker.probe_at then
      local wait = breaker.probe_at - now
      if wait <= 0 then wait = math.min(breaker.probing_until - now, BUSY_SECONDS) end
      if wait > 0 then return {1, moment(wait), 0, 0, breaker.reason, breaker.detail, breaker.since, ''} end
      due = due + which
    end
  end
  for which = 1, 2 do
    if due == which or due == 3 then keep(which, 'probing_until', moment(now + probing)) end
  end
  return {0, '0', due, both[2].failures, '', '', '', ''}
end

local wait, changed, failures = 0, '', both[2].failures
if event == 'good' then
  for which, breaker in ipairs(both) do
    -- An answer to a call from before the opening says nothing about now.
    if is_probe(which) or (not breaker.probe_at and breaker.failures > 0) then
      redis.call('DEL', KEYS[which])
      if breaker.probe_at then changed = 'closed' end
      if which == 2 then failures = 0 end
    end
  end
elseif event == 'close' then
  local which = tonumber(ARGV[10])
  if not both[which].probe_at then changed = 'opened' end
  wait = open(which, both[which])
elseif event == 'fail' then
  failures = redis.call('HINCRBY', KEYS[2], 'failures', 1)
  redis.call('EXPIRE', KEYS[2], KEEP_SECONDS)
  if failures >= threshold or is_probe(2) then
    if not both[2].probe_at then changed = 'opened' end
    wait = open(2, both[2])
  end
end
-- A probe that did not say whether the other breaker may close leaves it to the next call.
for which, breaker in ipairs(both) do
  local spoke = event == 'good' or (event == 'close' and tonumber(ARGV[10]) == which) or (event == 'fail' and which == 2)
  if is_probe(which) and not spoke then keep(which, 'probing_until', 0) end
end
return {0, moment(wait), 0, failures, '', '', moment(now), changed}
