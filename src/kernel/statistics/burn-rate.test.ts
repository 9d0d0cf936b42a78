import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addObservation, BURN_RULES, burnByRule, unitsToSeeBurn, type Observation } from './burn-rate.ts';

const MINUTE_MS = 60_000;
const OBJECTIVE = 0.999;
const NOW_MS = 100 * 24 * 60 * MINUTE_MS;
const INDEPENDENT = () => ({ ratio: 1, rate: 1 });

/** Five-minute intervals up to now: burns of candidate and stable, from so many hours ago until so many. */
function burns(
  hoursAgo: number,
  untilHoursAgo: number,
  candidate: number,
  stable: number,
  units = 5_000,
): readonly Observation[] {
  const observed: Observation[] = [];
  for (let ago = hoursAgo * 12 - 1; ago >= untilHoursAgo * 12; ago -= 1) {
    const counts = (burn: number) => ({ units, bad: units * burn * (1 - OBJECTIVE) });
    const toMs = NOW_MS - ago * 5 * MINUTE_MS;
    observed.push({ fromMs: toMs - 5 * MINUTE_MS, toMs, candidate: counts(candidate), stable: counts(stable) });
  }
  return observed;
}

function firing(observed: readonly Observation[]): readonly number[] {
  return burnByRule(observed, OBJECTIVE, NOW_MS, INDEPENDENT).flatMap(({ rule, fires }) =>
    fires ? [rule.factor] : [],
  );
}

test('the rules spend what the SRE workbook says: 2 %, 5 % and 10 % of the budget of 30 days', () => {
  const spent = BURN_RULES.map(({ factor, longMs }) => (factor * longMs) / (30 * 24 * 60 * MINUTE_MS));
  assert.deepEqual(
    spent.map((part) => Number(part.toFixed(6))),
    [0.02, 0.05, 0.1],
  );
});

test('a rule fires when its long and its short window burn', () => {
  const cases: readonly (readonly [string, readonly Observation[], readonly number[]])[] = [
    ['nothing', [], []],
    ['as planned, almost', burns(72, 0, 0.9, 0.9), []],
    ['exactly 1 for three days', burns(72, 0, 1.001, 1.001), [1]],
    ['6 for six hours', burns(6, 0, 6.1, 6.1), [6, 1]],
    ['6 for five hours: too short to say that it lasts', burns(5, 0, 6.1, 6.1), [6]],
    ['14.4 for an hour', burns(1, 0, 14.5, 14.5), [14.4, 6]],
    ['an hour of 14.4 after three quiet days', [...burns(72, 1, 0, 0), ...burns(1, 0, 14.5, 14.5)], [14.4]],
    ['its first five minutes', burns(1 / 12, 0, 50, 50), [14.4]],
    ['over since 10 minutes', [...burns(1, 1 / 6, 20, 20), ...burns(1 / 6, 0, 0, 0)], [6]],
    ['over since 7 hours', [...burns(72, 7, 3, 3), ...burns(7, 0, 0, 0)], []],
    ['five minutes of 50 in a quiet hour', [...burns(1, 1 / 12, 0, 0), ...burns(1 / 12, 0, 50, 50)], []],
    ['older than any window', burns(100, 72, 50, 50), []],
    ['too few events to say', burns(1, 0, 20, 20, 10), []],
    ['only the candidate', burns(1, 0, 20, 0), [14.4, 6]],
    ['only stable', burns(1, 0, 0, 20), [14.4, 6]],
  ];
  for (const [name, observed, wanted] of cases) {
    assert.deepEqual(firing(observed), wanted, name);
  }
});

test('a candidate that burns alone is to blame; beside a stable that burns as much it is not', () => {
  const [alone] = burnByRule(burns(1, 0, 30, 1), OBJECTIVE, NOW_MS, INDEPENDENT);
  assert.ok((alone?.logHarm ?? 0) > Math.log(1_000));
  const [together] = burnByRule(burns(1, 0, 30, 30), OBJECTIVE, NOW_MS, INDEPENDENT);
  assert.equal(together?.fires, true);
  assert.ok((together?.logHarm ?? 0) <= 0);
  const [better] = burnByRule(burns(1, 0, 20, 40), OBJECTIVE, NOW_MS, INDEPENDENT);
  assert.ok((better?.logHarm ?? 0) <= 0);
});

test('with nothing beside it, a candidate is to blame on evidence that it spends more than is planned', () => {
  const alone = (burn: number, units: number) =>
    burns(1, 0, burn, 0, units).map((one) => ({ ...one, stable: { units: 0, bad: 0 } }));
  assert.ok((burnByRule(alone(20, 5_000), OBJECTIVE, NOW_MS, INDEPENDENT)[0]?.logHarm ?? 0) > Math.log(1_000));
  // Five events where a third was planned.
  const few = alone(15, 28);
  const [rule] = burnByRule(few, OBJECTIVE, NOW_MS, INDEPENDENT);
  assert.ok((rule?.logHarm ?? 0) < Math.log(1_000), String(rule?.logHarm));
});

test('events that hang together blame as much less', () => {
  const observed = burns(1, 0, 30, 1);
  const [independent] = burnByRule(observed, OBJECTIVE, NOW_MS, INDEPENDENT);
  for (const dispersion of [
    { ratio: 20, rate: 1 },
    { ratio: 1, rate: 20 },
  ]) {
    const [clumped] = burnByRule(observed, OBJECTIVE, NOW_MS, () => dispersion);
    assert.ok((clumped?.logHarm ?? 0) < (independent?.logHarm ?? 0), JSON.stringify(dispersion));
  }
});

test('the units that show a burn are those in which the fastest has five events', () => {
  assert.equal(unitsToSeeBurn(0.999), 348);
  assert.equal(unitsToSeeBurn(0.9), 4);
});

test('after three days of nothing, nothing of before is kept', () => {
  const track = { units: 10, bad: 1 };
  const at = (fromMs: number): Observation => ({ fromMs, toMs: fromMs + 60_000, candidate: track, stable: track });
  assert.deepEqual(addObservation([at(0)], at(72 * 3_600_000)), [at(72 * 3_600_000)]);
});
