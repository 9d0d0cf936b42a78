import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { EMPTY_HISTORY } from '../rules/ad-history.ts';
import { Placement } from '../kinds/placement.ts';
import { askBreak, live, tableOf } from '../testing/world.ts';
import { openRecentBreaks, RECENT_LIMITS } from './recent-breaks.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const NO_HISTORY = { subject: {}, history: { rows: new Map() } };
const placement = (name: string) =>
  live(Placement, name, {
    format: 'audio',
    slots: 3,
    seconds: 90,
    currency: 'EUR',
    pricing: 'firstPrice',
    policy: 'standard',
    adFreeFeature: 'ad-free',
  });
const NAMES = Array.from({ length: RECENT_LIMITS.placementsMax + 3 }, (_, at) => `p${at}`);
const table = tableOf([...NAMES.map(placement), live(Attribute, 'genre', { type: 'string' })]);
const { attributes } = table.audiences;

test('breaks are counted by placement, and an even sample of bounded size is kept', () => {
  const anyAsked = fc.array(fc.tuple(fc.constantFrom('p0', 'p1', 'p2'), fc.nat(5)), { maxLength: 1_500 });
  fc.assert(
    fc.property(anyAsked, fc.infiniteStream(fc.double({ min: 0, max: 0.999 })), (asked, luck) => {
      const recent = openRecentBreaks(() => luck.next().value ?? 0);
      for (const [name] of asked) recent.add(askBreak(table, { nowMs: NOW_MS }, name), NO_HISTORY, attributes);
      const breaks = recent.list(NOW_MS)?.breaks ?? [];
      for (const name of ['p0', 'p1', 'p2']) {
        const count = asked.filter(([one]) => one === name).length;
        const found = breaks.find((one) => one.placement === name);
        assert.equal(found?.asked ?? 0, count);
        assert.equal(found?.kept.length ?? 0, Math.min(count, RECENT_LIMITS.perPlacement));
      }
    }),
    { numRuns: 20 },
  );
});

test('early and late breaks of a window are kept alike', () => {
  let state = 1;
  const recent = openRecentBreaks(() => (state = (state * 48_271) % 0x7fffffff) / 0x7fffffff);
  const count = 10_000;
  for (let at = 0; at < count; at += 1) {
    recent.add(askBreak(table, { nowMs: NOW_MS + at }, 'p0'), NO_HISTORY, attributes);
  }
  const [found] = recent.list(NOW_MS + count)?.breaks ?? [];
  const early = (found?.kept ?? []).filter(({ question }) => question.nowMs < NOW_MS + count / 2).length;
  assert.ok(early > 60 && early < 140, `${early} of ${RECENT_LIMITS.perPlacement}`);
});

test('a window ends after an hour, and is forgotten after another', () => {
  const recent = openRecentBreaks(() => 0);
  const { windowMs } = RECENT_LIMITS;
  const askedAt = (afterMs: number) => recent.list(NOW_MS + afterMs)?.breaks.reduce((sum, { asked }) => sum + asked, 0);
  assert.equal(recent.list(NOW_MS), undefined);
  recent.add(askBreak(table, { nowMs: NOW_MS }, 'p0'), NO_HISTORY, attributes);
  assert.equal(askedAt(windowMs - 1), 1);
  recent.add(askBreak(table, { nowMs: NOW_MS + windowMs }, 'p0'), NO_HISTORY, attributes);
  assert.equal(askedAt(windowMs), 2);
  assert.equal(recent.list(NOW_MS + windowMs)?.sinceMs, NOW_MS);
  assert.equal(askedAt(2 * windowMs), 1);
  assert.equal(recent.list(NOW_MS + 9 * windowMs), undefined);
});

test('nothing that is kept names a listener, and it holds what rules read alone', () => {
  const recent = openRecentBreaks(() => 0);
  const context = { targetingKey: 'ann', genre: 'jazz', email: 'ann@example.com' };
  const rows = new Map([['listener' as const, { key: 'abcdef', version: 3, history: EMPTY_HISTORY }]]);
  const subject = { listener: 'ann', session: 's1' };
  recent.add(askBreak(table, { nowMs: NOW_MS, context }, 'p0'), { subject, history: { rows } }, attributes);
  const [kept] = recent.list(NOW_MS)?.breaks[0]?.kept ?? [];
  assert.deepEqual(kept?.question.context, { genre: 'jazz' });
  const row = { key: '', version: undefined, history: EMPTY_HISTORY };
  // A session whose history was not read has heard nothing that counts.
  assert.deepEqual(
    [...(kept?.history.rows ?? [])],
    [
      ['listener', row],
      ['session', row],
    ],
  );
  assert.ok(!JSON.stringify(kept).includes('ann'));
  // Unknown histories are not replayed as empty ones.
  recent.add(askBreak(table, { nowMs: NOW_MS }, 'p0'), { subject, history: undefined }, attributes);
  const [found] = recent.list(NOW_MS)?.breaks ?? [];
  assert.deepEqual([found?.asked, found?.kept.length], [2, 1]);
});

test('placements, long contexts and full histories are bounded', () => {
  const recent = openRecentBreaks(() => 0);
  for (const name of NAMES) recent.add(askBreak(table, { nowMs: NOW_MS }, name), NO_HISTORY, attributes);
  assert.equal(recent.list(NOW_MS)?.breaks.length, RECENT_LIMITS.placementsMax);
  const long = { genre: 'x'.repeat(RECENT_LIMITS.bytesMax) };
  recent.add(askBreak(table, { nowMs: NOW_MS, context: long }, 'p0'), NO_HISTORY, attributes);
  const exposures = Array.from({ length: 1_000 }, (_, id) => ({ id, hasPlayed: true, ms: NOW_MS }));
  const history = { groups: [{ owners: [1], keepMs: 1, exposures }] };
  const rows = new Map([['listener' as const, { key: '', version: 1, history }]]);
  for (let at = 0; at < 100; at += 1)
    recent.add(
      askBreak(table, { nowMs: NOW_MS }, 'p0'),
      { subject: { listener: 'ann' }, history: { rows } },
      attributes,
    );
  const found = recent.list(NOW_MS)?.breaks.find((one) => one.placement === 'p0');
  assert.deepEqual([found?.asked, found?.kept.length], [102, 1 + RECENT_LIMITS.exposuresMax / 1_000]);
});
