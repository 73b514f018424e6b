-- One group of calls of one account: who may call when, and what refusals teach about the rate.
--
-- KEYS[1] the group's state, KEYS[2] which processes call it.
-- ARGV  1 what happened: 'admit' | 'slow'     2 the time in seconds, '' for the server's own
--       3 the configured ceiling, '' for none  4 generation the good answers belong to, 5 how many there were
--       6 a cap read from the answers' quota, '' for none, 7 for how many seconds it counts
--       8 seconds of silence the quota asks for, 9 this process, 10 a rate and 11 a silence it remembers
-- admit 12 patience in seconds
-- slow  12 generation of the refused call, 13 told wait in seconds or 0, 14 a random number below 1
-- Gives generation, seconds to wait, 1 when admitted, 1 when it had to queue, rate ('' for none), processes.

local SURE_CALLS = 40
local FEW_CALLS = 5
local SEARCHING, NEAR, SURE = 1, 2, 3
local STEPS = {[SEARCHING] = 0.06, [NEAR] = 0.002, [SURE] = 0.0003}
local LARGEST_STEP = 0.02
local SECOND_S_GROWTH = {[SEARCHING] = 1.15, [NEAR] = 1.05, [SURE] = 1.05}
local DISPROVED = 2
local BELOW = 0.95
local SLOWEST = 1 / 60
local LONGEST_PAUSE = 60
local LONGEST_LINE = 600
local QUOTA_SECONDS = 300
local KEEP_SECONDS = 86400
local SEEN_SECONDS = 10

local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local state = {}
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do state[stored[i]] = tonumber(stored[i + 1]) end
local function value(name) return state[name] or 0 end

local ceiling = tonumber(ARGV[3])
if not state.generation then
  -- A new group, or a Redis that lost everything: processes remember what they were told.
  state.generation, state.since, state.busy_since = 1, now, now
  state.rate, state.limit = tonumber(ARGV[10]), tonumber(ARGV[10])
  state.trust = NEAR
  if tonumber(ARGV[11]) then state.hold = now + tonumber(ARGV[11]) end
end

redis.call('ZADD', KEYS[2], now, ARGV[9])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - SEEN_SECONDS)

-- Good answers. The rate grows by them alone, and only by calls that had to queue: more was wanted than it gave.
local good = tonumber(ARGV[5])
if good > 0 then
  if now - value('busy_at') > 2 then state.busy_since, state.busy = now - 1, 0 end
  state.busy, state.busy_at = value('busy') + good, now
  if now - state.busy_since > 10 then state.busy_since, state.busy = now - 5, state.busy / 2 end
  if tonumber(ARGV[4]) == state.generation then
    state.streak = 0
    if state.rate then
      if state.trust ~= SEARCHING and state.rate > DISPROVED * state.limit then
        -- So far above the limit without a refusal: it is another one by now. What is measured begins anew.
        state.trust, state.since, state.granted = SEARCHING, math.max(now, value('next')), 0
      end
      -- Gently near a known limit, faster the further it was passed; while none is known, double in a dozen answers.
      local over = math.max(0, state.rate / state.limit - 1)
      local step = STEPS[SEARCHING]
      if state.trust ~= SEARCHING then step = math.min(LARGEST_STEP, STEPS[state.trust] * (1 + (over / 0.05) ^ 2)) end
      -- Answers are of calls whose places were given up to two seconds ago, so growth is bounded in time as well.
      local from = math.max(now - 1, value('grown_to'))
      local bound = SECOND_S_GROWTH[state.trust]
      local growth = math.min((1 + step) ^ math.min(good, 20), bound ^ math.max(0, now - from))
      state.rate, state.grown_to = state.rate * growth, from + math.log(growth) / math.log(bound)
    end
  end
end

-- What the answers say is left of a quota.
if tonumber(ARGV[6]) then state.cap, state.cap_until = tonumber(ARGV[6]), now + tonumber(ARGV[7]) end
if tonumber(ARGV[8]) > 0 then state.hold = math.max(value('hold'), now + tonumber(ARGV[8])) end

local function allowed()
  local rate = state.rate
  if ceiling then rate = math.min(rate or ceiling, ceiling) end
  if value('cap_until') > now then rate = math.min(rate or state.cap, state.cap) end
  return rate
end

local function keep()
  local fields = {}
  for name, number in pairs(state) do
    fields[#fields + 1] = name
    fields[#fields + 1] = string.format('%.6f', number)
  end
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('EXPIRE', KEYS[1], KEEP_SECONDS)
  redis.call('EXPIRE', KEYS[2], KEEP_SECONDS)
end

local function answer(wait, admitted, queued)
  keep()
  local rate = allowed()
  return {
    state.generation, string.format('%.6f', wait), admitted, queued, rate and string.format('%.6f', rate) or '',
    redis.call('ZCARD', KEYS[2]), string.format('%.6f', math.max(0, value('hold') - now)),
  }
end

if ARGV[1] == 'admit' then
  local patience = tonumber(ARGV[12])
  local rate = allowed()
  local at = math.max(now, value('hold'))
  if rate then at = math.max(at, value('next')) end
  if at - now <= patience then
    if rate then
      state.next = at + 1 / rate
      state.granted = value('granted') + 1
    end
    return answer(at - now, 1, at > now and 1 or 0)
  end
  -- Each refused call gets a place of its own in a line, so that they do not all come back at once. The line moves
  -- twice as fast as the rate, as some of those who stand in it never come back.
  local line = math.max(value('line'), at - patience, value('hold'))
  if line - at > LONGEST_LINE then line = at end
  state.line = line + 0.5 / (rate or 50)
  return answer(line - now, 0, 1)
end

-- A refusal. One that was sent before the last lesson teaches nothing new, but may name a time.
local told = tonumber(ARGV[13])
if told >= QUOTA_SECONDS then
  -- So long a wait is a quota that is used up; of the rate it says nothing.
  state.hold = math.max(value('hold'), now + told)
elseif tonumber(ARGV[12]) == state.generation then
  -- Places given before this lesson are still used; what is learned next begins after the last of them.
  local from = math.max(now, state.rate and value('next') or now)
  if state.rate then
    local sent = value('granted') - math.max(0, value('next') - now) * state.rate
    local measured = math.max(0, sent - 0.5) / math.max(now - state.since, 0.5)
    if sent < FEW_CALLS then
      -- Too few to measure by: a careful step down. Refusals in a row, without a good answer, tell that it rests or
      -- had a hiccup, and not its rate: what was known has to be found again.
      state.limit = math.min(state.rate, math.max(measured, 0.7 * state.rate))
      state.trust = value('streak') >= (state.trust == SEARCHING and 1 or 2) and SEARCHING or NEAR
    elseif state.trust == SEARCHING then
      -- It grew all the time: its rate lies between what passed and what was asked last.
      state.limit = math.sqrt(state.rate * math.min(state.rate, math.max(measured, 0.4 * state.rate)))
      state.trust = NEAR
    elseif sent < SURE_CALLS then
      -- The provider's bucket was empty at both ends of the stretch: what passed in between is its rate.
      state.limit = math.min(state.rate, math.max(measured, 0.4 * state.rate))
      state.trust = measured >= 0.85 * state.rate and SURE or NEAR
    else
      -- A long stretch saw the bucket full at times: the rate is a little above what passed.
      state.limit = 0.75 * math.min(state.rate, math.max(measured, 0.5 * state.rate)) + 0.25 * state.rate
      state.trust = SURE
    end
  else
    state.limit = math.max(1, (value('busy') + 0.5) / math.max(now - state.busy_since, 1))
    if ceiling then state.limit = math.min(state.limit, ceiling) end
    state.trust = SEARCHING
  end
  state.limit = math.max(state.limit, SLOWEST)
  state.rate = BELOW * state.limit
  state.streak = value('streak') + 1
  local pause = math.min(LONGEST_PAUSE, (1 + tonumber(ARGV[14])) * math.min(1, 1 / state.rate) * 2 ^ (state.streak - 1))
  state.hold = math.max(value('hold'), from + math.max(told, pause))
  state.generation, state.since, state.granted = state.generation + 1, from, 0
elseif told > 0 then
  state.hold = math.max(value('hold'), now + told)
end
return answer(math.max(0, value('hold') - now), 0, 0)
