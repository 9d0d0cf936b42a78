import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { atOnce } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { heldBackBy } from './break-history.ts';
import { AdSetRows } from './decisions/ad-set-rows.ts';
import { adSetNamed } from './decisions/ad-sets.ts';
import { decideBreak, type BreakQuestion, type HoldBack } from './decisions/decide.ts';
import { countReasons } from './decisions/explain.ts';
import type { AdsTable, CompiledAdSet } from './decisions/table.ts';
import { lossesOf } from './diagnosis/losses.ts';
import { openRecentBreaks } from './diagnosis/recent-breaks.ts';
import type { KnownHistory } from './history/histories.ts';
import { Ad } from './kinds/ad.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { Asset } from './kinds/asset.ts';
import { Campaign } from './kinds/campaign.ts';
import { Placement } from './kinds/placement.ts';
import type { Money } from './money/money.ts';
import { replayBreaks } from './replay-breaks.ts';
import { askBreak, live, tableOf } from './testing/world.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const GENRES = ['jazz', 'rock', 'pop'] as const;

function adOf(account: string, spec: object, { seconds = 30 } = {}): readonly LiveObject[] {
  return [
    live(Advertiser, account, { currency: 'EUR' }),
    live(Campaign, `${account}.c`, { account }),
    live(AdSet, `${account}.s`, {
      account,
      campaign: `${account}.c`,
      bid: '5.00',
      goal: 'cpm',
      tier: 'auction',
      position: 'any',
      ...spec,
    }),
    live(Asset, `${account}.f`, { account, format: 'audio', seconds, renditions: [] }),
    live(Ad, `${account}.a`, { account, adSet: `${account}.s`, asset: `${account}.f`, weight: 1 }),
  ];
}

const genre = (...values: readonly string[]) => ({ anyOf: [{ allOf: [{ attribute: 'genre', in: values }] }] });
const placement = (name: string, spec: object = {}) =>
  live(Placement, name, {
    format: 'audio',
    slots: 1,
    seconds: 60,
    currency: 'EUR',
    pricing: 'firstPrice',
    policy: 'standard',
    adFreeFeature: 'ad-free',
    ...spec,
  });

const CAP = { frequencyCaps: [{ count: 2, per: 'P1D', scope: 'listener' }] };
const table = tableOf([
  live(Attribute, 'genre', { type: 'string' }),
  placement('break'),
  placement('other', { slots: 2, floor: { cpm: '4.00' } }),
  ...adOf('a', { bid: '9.00', when: genre('jazz') }),
  ...adOf('b', { ...CAP }),
  ...adOf('c', { bid: '3.00', placements: ['break'] }, { seconds: 45 }),
  ...adOf('d', { bid: '4.50', when: genre('rock', 'pop'), ...CAP }),
]);

function adSetOf(all: AdsTable, account: string): CompiledAdSet {
  const adSet = adSetNamed(all, `default/${account}.s`);
  assert.ok(adSet !== undefined);
  return adSet;
}

/** Ads of these accounts that a listener heard. */
function historyOf(accounts: readonly string[]): KnownHistory {
  const groups = accounts.map((account, id) => ({
    owners: adSetOf(table, account).caps.map(({ owner }) => owner),
    keepMs: 86_400_000,
    exposures: [{ id, hasPlayed: true, ms: NOW_MS - 1_000 }],
  }));
  return { rows: new Map([['listener', { key: 'k', version: 1, history: { groups } }]]) };
}

const ANN = { listener: 'ann' };
const MONEY = { heldBack: (): HoldBack | undefined => undefined };

/** Why an ad set is not in a break, by the explanation of it; `served` where it is. */
function explainedReason(adSet: CompiledAdSet, question: BreakQuestion): string {
  const decision = decideBreak(table, question);
  if (decision.served.some((ad) => ad.adSet.name === adSet.name)) return 'served';
  const alone = { ...table, rows: new AdSetRows(), recent: [{ adSet, matcher: undefined }] };
  return atOnce(countReasons(alone, question, decision))[0]?.reason ?? 'nothing';
}

test('a replay counts for each ad set what the explanations of all breaks say', () => {
  const anyBreak = fc.record({
    name: fc.constantFrom('break', 'other'),
    genre: fc.option(fc.constantFrom(...GENRES), { nil: undefined }),
    seconds: fc.constantFrom(30, 60),
    adjacent: fc.subarray(['default/a', 'default/b']),
    heard: fc.array(fc.constantFrom('b', 'd'), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(fc.array(anyBreak, { maxLength: 40 }), (asked) => {
      const recent = openRecentBreaks(() => 0);
      const questions = asked.map(({ name, genre: given, seconds, adjacent, heard }) => {
        const history = historyOf(heard);
        const context = { targetingKey: 'ann', ...(given === undefined ? {} : { genre: given }) };
        const question = askBreak(table, { nowMs: NOW_MS, context, seconds, adjacent: new Set(adjacent) }, name);
        recent.add(question, { subject: ANN, history }, table.audiences.attributes);
        return { name, question: { ...question, heldBack: heldBackBy(question, history) } };
      });
      for (const account of ['a', 'b', 'c', 'd']) {
        const adSet = adSetOf(table, account);
        const own = questions.filter(({ name }) => adSet.placements?.has(name) !== false);
        const expected = Map.groupBy(own, ({ question }) => explainedReason(adSet, question));
        const breaks = (recent.list(NOW_MS)?.breaks ?? []).filter(
          ({ placement: name }) => adSet.placements?.has(name) !== false,
        );
        const counts = atOnce(replayBreaks(adSet, breaks, { table, money: MONEY, random: () => 0.5 }));
        assert.equal(counts.requests, own.length);
        assert.equal(counts.served, expected.get('served')?.length ?? 0);
        expected.delete('served');
        assert.deepEqual(
          Array.from(counts.lost, ([reason, { requests }]) => [reason, requests]).toSorted(),
          Array.from(expected, ([reason, all]) => [reason, all.length]).toSorted(),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('losses are shares in words, the largest first, of eligible requests where the listener fits', () => {
  const recent = openRecentBreaks(() => 0);
  const ask = (given: string, heard: readonly string[], times: number): void => {
    const question = askBreak(table, { nowMs: NOW_MS, context: { genre: given } });
    for (let time = 0; time < times; time += 1)
      recent.add(question, { subject: ANN, history: historyOf(heard) }, table.audiences.attributes);
  };
  ask('rock', ['d', 'd'], 82);
  ask('rock', ['b', 'b'], 10);
  ask('pop', [], 8);
  ask('jazz', [], 25);
  const breaks = recent.list(NOW_MS)?.breaks ?? [];
  const counts = atOnce(replayBreaks(adSetOf(table, 'd'), breaks, { table, money: MONEY, random: () => 0.5 }));
  assert.deepEqual(
    lossesOf(adSetOf(table, 'd'), counts).map(({ reason, share, sentence }) => [reason, share, sentence]),
    [
      [
        'frequency cap',
        0.82,
        '82 % of eligible requests are lost. The listener had as many of its ads as a frequency cap allows.',
      ],
      [
        'audience',
        0.2,
        '20 % of requests are lost. The listener is not in its audience or when, or too little is known of them.',
      ],
      [
        'no room',
        0.08,
        '8 % of eligible requests are lost. Other ad sets are of an earlier tier, or pay more together.',
      ],
    ],
  );
});

test('the money of other ad sets counts, and its own does not', () => {
  const recent = openRecentBreaks(() => 0);
  const question = askBreak(table, { nowMs: NOW_MS, context: { genre: 'jazz' } });
  recent.add(question, { subject: ANN, history: historyOf([]) }, table.audiences.attributes);
  const breaks = recent.list(NOW_MS)?.breaks ?? [];
  const [a, b] = [adSetOf(table, 'a'), adSetOf(table, 'b')];
  const lostUnder = (money: Pick<Money, 'heldBack'>) => [
    ...atOnce(replayBreaks(b, breaks, { table, money, random: () => 0.5 })).lost.keys(),
  ];
  assert.deepEqual(lostUnder(MONEY), ['no room']);
  assert.deepEqual(lostUnder({ heldBack: (adSet) => (adSet.name === a.name ? 'budget spent' : undefined) }), []);
  assert.deepEqual(lostUnder({ heldBack: () => 'budget spent' }), []);
});
