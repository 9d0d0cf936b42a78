import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { ExchangeRate } from '../kinds/exchange-rate.ts';
import { Placement } from '../kinds/placement.ts';
import { adsKinds } from '../module.ts';
import { servingAdvisors } from '../serving-advice.ts';
import { allAdSets, askBreak, live, tableOf, worldOf } from '../testing/world.ts';
import { decideBreak } from './decide.ts';
import { countReasons } from './explain.ts';
import { servingReasons } from './serving-reasons.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);

function liveIn(namespace: string, kind: Kind, name: string, spec: unknown): LiveObject {
  return { ...live(kind, name, spec), namespace, name: liveName(kind, namespace, name) };
}

const placement = (namespace: string, name: string) =>
  liveIn(namespace, Placement, name, {
    format: 'audio',
    slots: 3,
    seconds: 90,
    currency: 'EUR',
    pricing: 'firstPrice',
    priors: { clickRate: 0.002, completionRate: 0.9 },
    policy: 'standard',
    adFreeFeature: 'ad-free',
  });

const policy = live(AdPolicy, 'standard', { consent: [{ framework: 'none' }] });

/** An account with one ad set of a first tier, so that it is served wherever it may be. */
function adOf(namespace: string, account: string, spec: object = {}, currency = 'EUR'): readonly LiveObject[] {
  const own = (kind: Kind, name: string, of: unknown) => liveIn(namespace, kind, name, of);
  return [
    own(Advertiser, account, { currency }),
    own(Campaign, `${account}.c`, { account }),
    own(AdSet, `${account}.s`, {
      account,
      campaign: `${account}.c`,
      goal: 'cpm',
      tier: 'sponsorship',
      position: 'any',
      bid: '9.00',
      ...spec,
    }),
    own(Asset, `${account}.f`, {
      account,
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    }),
    own(Ad, `${account}.ad`, { account, adSet: `${account}.s`, asset: `${account}.f`, weight: 1 }),
  ];
}

const servedAt = (objects: readonly LiveObject[], name = 'break') => {
  const table = tableOf(objects);
  return decideBreak(table, askBreak(table, { nowMs: NOW_MS }, name)).served.map(({ adSet }) => adSet.name);
};

test('an ad set that names no placement is served at those of its namespace alone', () => {
  const world = [
    policy,
    placement('default', 'break'),
    placement('other', 'their-break'),
    ...adOf('default', 'acme'),
    ...adOf('other', 'evil'),
  ];
  assert.deepEqual(servedAt(world), ['default/acme.s']);
  assert.deepEqual(servedAt(world, 'their-break'), ['other/evil.s']);
  const table = tableOf(world);
  const asked = askBreak(table, { nowMs: NOW_MS });
  const steps = countReasons(table, asked, decideBreak(table, asked));
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  assert.deepEqual(step.value, [{ reason: 'other placements', adSets: 1, example: 'other/evil.s' }]);
});

test('one of another namespace is named, which takes the right to refer to it', () => {
  const world = [policy, placement('default', 'break'), ...adOf('other', 'guest', { placements: ['break'] })];
  assert.deepEqual(servedAt(world), ['other/guest.s']);
});

test('a namespace without placements has none for ad sets that name none', () => {
  const table = tableOf([policy, placement('default', 'break'), ...adOf('other', 'evil')]);
  const [adSet] = allAdSets(table);
  assert.ok(adSet);
  assert.deepEqual(servingReasons(adSet, table.placements, NOW_MS), [{ reason: 'no placement', places: [] }]);
});

test('few breaks of its own namespace are few, however many others have', () => {
  const DAY_MS = 86_400_000;
  const day = (ago: number, name: string, breaks: number) => ({
    fromMs: Date.UTC(2026, 10, 30) - ago * DAY_MS,
    placement: name,
    breaks,
    contexts: [{}],
  });
  const days = [3, 2, 1].flatMap((ago) => [day(ago, 'break', 1_000_000), day(ago, 'their-break', 1)]);
  const world = worldOf([
    policy,
    placement('default', 'break'),
    placement('other', 'their-break'),
    ...adOf('other', 'b'),
  ]);
  const [advisor] = servingAdvisors(
    adsKinds,
    world,
    () => Temporal.Instant.fromEpochMilliseconds(NOW_MS),
    () => ({ nowMs: NOW_MS, days }),
  );
  const { namespace, spec } = world.get(AdSet.id, 'other/b.s') as LiveObject;
  const object = { apiVersion: AdSet.apiVersion, kind: 'AdSet', metadata: { namespace, name: 'b.s' }, spec } as never;
  assert.match(advisor?.advise(object, []).join() ?? '', /^Few get it: Its listeners have at most \d+ breaks a week/);
});

const rate = (namespace: string, text: string) =>
  liveIn(namespace, ExchangeRate, `usd-eur-${namespace}`, {
    base: 'USD',
    quote: 'EUR',
    rates: [{ from: '2026-11-01', rate: text }],
  });

test('a rate converts at placements of its namespace alone', () => {
  const world = [policy, placement('default', 'break'), ...adOf('default', 'us', {}, 'USD')];
  const ecpmOf = (objects: readonly LiveObject[]) => {
    const table = tableOf(objects);
    return decideBreak(table, askBreak(table, { nowMs: NOW_MS })).served.map(({ ecpm }) => ecpm);
  };
  assert.deepEqual(ecpmOf([...world, rate('other', '1000')]), []);
  assert.deepEqual(ecpmOf([...world, rate('default', '0.5'), rate('other', '1000')]), [4_500_000]);
});

test('two namespaces may each have a rate of one pair, and one has it once', () => {
  const [own, theirs] = [rate('default', '0.5'), rate('other', '1000')];
  const problems = (objects: readonly LiveObject[]) =>
    ExchangeRate.check?.(own.spec, worldOf([own, ...objects]), own.name) ?? [];
  assert.deepEqual(problems([theirs]), []);
  assert.equal(problems([{ ...theirs, namespace: 'default' }]).length, 1);
  const problemsIn = (namespace: string) =>
    ExchangeRate.validate?.(own.spec, {
      now: Temporal.Instant.fromEpochMilliseconds(NOW_MS),
      name: 'new',
      namespace,
      find: () => [{ metadata: { name: theirs.name, namespace: 'other' }, spec: theirs.spec } as never],
    }) ?? [];
  assert.deepEqual(problemsIn('default'), []);
  assert.equal(problemsIn('other').length, 1);
});
