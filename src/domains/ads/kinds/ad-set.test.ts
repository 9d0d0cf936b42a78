import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { DAYS, isInWindow, weeklyWindow } from '#kernel/audiences/language/compile-time.ts';
import { zoneClock } from '#kernel/audiences/language/zone.ts';
import { AdSet, type AdSetSpec } from './ad-set.ts';

const NOW = Temporal.Instant.from('2026-12-01T12:00:00Z');
const MINUTE_MS = 60_000;
const BASE: AdSetSpec = { account: 'a', campaign: 'a.c', tier: 'auction', goal: 'cpm', bid: '9.00', position: 'any' };
const ATTRIBUTES = [{ metadata: { name: 'plan' }, spec: { type: 'string' } }];

function problemsOf(more: Partial<AdSetSpec>, before?: Partial<AdSetSpec>): readonly string[] {
  const find = (kind: string) => (kind === Attribute.id ? (ATTRIBUTES as never) : []);
  const context = { now: NOW, name: 'default/a.s', find, ...(before && { before: { ...BASE, ...before } }) };
  const problems = AdSet.validate?.({ ...BASE, ...more }, context) ?? [];
  return problems.map(({ path, detail }) => `${path.join('.')}: ${detail}`);
}

const clock = fc
  .tuple(fc.nat(23), fc.constantFrom('00', '30'))
  .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${minute}`);
const dayPart = fc
  .tuple(fc.subarray([...DAYS], { minLength: 1, maxLength: 2 }), clock, clock)
  .map(([days, from, until]) => (from === until ? { days } : { days, from, until }));

test('day parts are refused only where no listener in any zone has one during the flight', () => {
  const clocks = ['Etc/GMT+12', 'America/St_Johns', 'UTC', 'Asia/Kathmandu', 'Pacific/Kiritimati'].map(zoneClock);
  let refused = 0;
  fc.assert(
    fc.property(
      fc.array(dayPart, { minLength: 1, maxLength: 2 }),
      fc.integer({ min: 0, max: 7 * 24 * 4 }),
      fc.integer({ min: 1, max: 6 * 24 * 4 }),
      (dayParts, start, quarters) => {
        const fromMs = NOW.epochMilliseconds + start * 15 * MINUTE_MS;
        const untilMs = fromMs + quarters * 15 * MINUTE_MS;
        const iso = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toString();
        const problems = problemsOf({ dayParts, from: iso(fromMs), until: iso(untilMs) });
        if (problems.length === 0) return;
        refused += 1;
        const windows = dayParts.map(weeklyWindow);
        for (let ms = fromMs; ms < untilMs; ms += 15 * MINUTE_MS) {
          for (const zone of clocks) {
            const wallMs = ms + (zone?.offsetMs(ms) ?? 0);
            assert.ok(!windows.some((window) => isInWindow(window, wallMs)), problems.join());
          }
        }
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(refused > 50, `${refused} were refused`);
});

test('an ad set of a Tuesday has no use for Fridays; what was right once can be edited later', () => {
  const friday = { dayParts: [{ days: ['fri' as const] }], until: '2026-12-02T12:00:00Z' };
  assert.deepEqual(problemsOf(friday), [
    'spec.dayParts: none has a moment between now and 2026-12-02T12:00:00Z in any time zone: nothing would be served',
  ]);
  assert.deepEqual(problemsOf({ ...friday, paused: true }, friday), []);
  assert.deepEqual(problemsOf({ ...friday, until: '2026-12-04T00:00:00Z' }), []);
});

test('a rule that excludes itself, or the audience beside it, is refused', () => {
  const plan = (name: string) => ({ attribute: 'plan', in: [name] });
  const when = (...allOf: object[]) => ({ when: { anyOf: [{ allOf }] } as AdSetSpec['when'] }) as Partial<AdSetSpec>;
  assert.deepEqual(problemsOf(when(plan('free'), plan('premium'))), [
    'spec.when.anyOf: no listener can meet it: conditions exclude each other on "plan"',
  ]);
  const not = { audience: 'payers', not: true };
  assert.deepEqual(problemsOf({ audience: 'payers', ...when(not) }), [
    'spec.when.anyOf: no listener can meet it: conditions exclude each other on audience "payers"',
  ]);
  assert.deepEqual(problemsOf({ audience: 'others', ...when(not) }), []);
});

test('a budget that does not pay for one event, and an event that no slice of a budget holds, are refused', () => {
  const cpm = { goal: 'cpm', bid: '9.50' } as const;
  assert.deepEqual(problemsOf({ ...cpm, budget: { daily: '0.0095' } }), []);
  assert.deepEqual(problemsOf({ ...cpm, budget: { daily: '0.009499', lifetime: '100' } }), [
    'spec.budget.daily: 0.009499 does not pay for one impression, which costs up to 0.0095: nothing would be served',
  ]);
  assert.deepEqual(problemsOf({ goal: 'cpc', bid: '0.40', budget: { lifetime: '0.39' } }), [
    'spec.budget.lifetime: 0.39 does not pay for one click, which costs up to 0.40: nothing would be served',
  ]);
  assert.deepEqual(problemsOf({ ...cpm, budget: { lifetime: '0.001' } }, cpm), [], 'to stop one that is there');
  assert.deepEqual(problemsOf({ goal: 'cpm', bid: '999999999' }), []);
  assert.deepEqual(problemsOf({ goal: 'cpc', bid: '10000000' }), []);
  assert.deepEqual(problemsOf({ goal: 'cpcv', bid: '10000000.01' }), [
    'spec.bid: one play to the end would cost up to 10000000.01; the limit is 10000000',
  ]);
});
