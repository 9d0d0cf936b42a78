import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { Ad } from './kinds/ad.ts';
import { AdPolicy } from './kinds/ad-policy.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { Asset } from './kinds/asset.ts';
import { Campaign } from './kinds/campaign.ts';
import { Placement } from './kinds/placement.ts';
import { adsKinds } from './module.ts';
import { servingAdvisors } from './serving-advice.ts';
import { live, worldOf } from './testing/world.ts';

const NOW = Temporal.Instant.from('2026-12-01T12:00:00Z');
const kindOf = ({ kind }: LiveObject): Kind => adsKinds.find(({ id }) => id === kind) as Kind;

function entryOf(object: LiveObject) {
  const kind = kindOf(object);
  const metadata = { name: readLiveName(kind, object.name).name, namespace: object.namespace };
  return textEntry(kind, { apiVersion: kind.apiVersion, kind: kind.kind, metadata, spec: object.spec }, 1);
}

/** The advice for the last of some objects that are written together. */
function adviceFor(declared: readonly LiveObject[], written: readonly LiveObject[]): readonly string[] {
  const entries = written.map(entryOf);
  const last = entries.at(-1);
  const advisor = servingAdvisors(adsKinds, worldOf(declared), () => NOW).find(({ kind }) => kind === last?.kind);
  return advisor?.advise(last?.object() as never, entries) ?? [];
}

const placement = live(Placement, 'break', {
  format: 'audio',
  slots: 1,
  seconds: 30,
  currency: 'EUR',
  floor: { cpm: '5.00' },
  pricing: 'firstPrice',
  policy: 'standard',
  adFreeFeature: 'ad-free',
});
const policy = live(AdPolicy, 'standard', { consent: [{ framework: 'none' }] });
const owners = [live(Advertiser, 'a', { currency: 'EUR' }), live(Campaign, 'a.c', { account: 'a', paused: true })];
const adSet = (spec: object = {}) =>
  live(AdSet, 'a.s', { account: 'a', campaign: 'a.c', tier: 'auction', position: 'any', bid: '9.00', ...spec });
const asset = (name: string, spec: object) => live(Asset, name, { account: 'a', renditions: [], ...spec });
const ad = (spec: object = {}) => live(Ad, 'a.ad', { account: 'a', adSet: 'a.s', asset: 'a.f', weight: 1, ...spec });
const song = asset('a.f', { format: 'audio', seconds: 30 });

test('what is yet to come, or was meant, is no reason for advice', () => {
  assert.deepEqual(adviceFor([policy, placement, ...owners], [adSet({ paused: true })]), []);
  assert.deepEqual(adviceFor([policy, placement], [ad()]), []);
  assert.deepEqual(adviceFor([policy, placement, ...owners, song, adSet()], [ad()]), []);
});

test('what is written together counts as live', () => {
  assert.deepEqual(adviceFor([], [policy, placement, ...owners, song, ad(), adSet({ placements: ['break'] })]), []);
});

test('an author is advised of placements that take nothing of it, and what would be right', () => {
  assert.deepEqual(adviceFor([policy, placement, ...owners], [adSet({ placements: ['brake'] })]), [
    'Nobody gets it: Not live: Placement brake. Declare it, or name other placements in spec.placements of the AdSet.',
  ]);
  assert.deepEqual(adviceFor([policy, placement, ...owners, song, adSet({ bid: '1.00' })], [ad()]), [
    'Nobody gets it: The bid is below the floor of break. Raise spec.bid of the AdSet, or name other placements in spec.placements of the AdSet.',
  ]);
  const [format] = adviceFor([policy, placement, ...owners, asset('a.f', { format: 'image' }), adSet()], [ad()]);
  assert.match(format ?? '', /^Nobody gets it: No Ad has the format of break\. Declare an Ad /);
});

test('a companion that is no image is not shown, and one that is not declared may come', () => {
  const declared = [policy, placement, ...owners, song, adSet()];
  assert.deepEqual(adviceFor(declared, [ad({ companion: 'a.f' })]), [
    'spec.companion: Asset a.f is audio, and a companion is an image: it is not shown.',
  ]);
  assert.deepEqual(adviceFor(declared, [ad({ companion: 'a.p' })]), []);
  assert.deepEqual(adviceFor(declared, [asset('a.p', { format: 'image' }), ad({ companion: 'a.p' })]), []);
});

test('a draft may pause whatever is live, and nothing new is prepared unseen', () => {
  const refusedFor = (declared: readonly LiveObject[], changed: LiveObject): number => {
    const entry = entryOf(changed);
    const advisor = servingAdvisors(adsKinds, worldOf([policy, placement, ...owners, ...declared]), () => NOW).find(
      ({ kind }) => kind === entry.kind,
    );
    return advisor?.refuse?.(entry.object(), { written: [entry], changed: [entry] }).length ?? 0;
  };
  const [low, silent] = [adSet({ bid: '1.00' }), ad({ asset: 'a.none' })];
  assert.equal(refusedFor([song, ad(), low], adSet({ bid: '2.00' })), 1);
  assert.equal(refusedFor([song, ad(), low], adSet({ bid: '1.00', paused: true })), 0);
  assert.equal(refusedFor([song, ad()], adSet({ bid: '1.00', paused: true })), 1);
  assert.equal(refusedFor([song, ad(), adSet({ bid: '1.00', paused: true })], adSet({ bid: '2.00', paused: true })), 1);
  assert.equal(refusedFor([adSet(), silent], ad({ asset: 'a.none', weight: 2 })), 1);
  assert.equal(refusedFor([adSet(), silent], ad({ asset: 'a.none', paused: true })), 0);
});

test('an ad set whose listeners had few breaks in the last week is warned of, and refused in a draft', () => {
  const DAY_MS = 86_400_000;
  const young = live(Audience, 'young', { anyOf: [{ allOf: [{ attribute: 'age', atMost: 30 }] }] });
  const age = live(Attribute, 'age', { type: 'number' });
  const declared = [policy, placement, ...owners, song, ad(), young, age];
  const ages = (count: number, old: number) => Array.from({ length: count }, (_, at) => ({ age: at < old ? 60 : 20 }));
  const adviceAfter = (old: number, spec: object): readonly string[] => {
    const nowMs = NOW.epochMilliseconds;
    const days = [3, 2, 1].map((ago) => ({
      fromMs: Temporal.Instant.from('2026-12-01T00:00:00Z').epochMilliseconds - ago * DAY_MS,
      placement: 'break',
      breaks: 1_000,
      contexts: ages(1_000, old),
    }));
    const weekAt = () => ({ nowMs, days });
    const [entry] = [adSet(spec)].map(entryOf);
    const [advisor] = servingAdvisors(adsKinds, worldOf(declared), () => NOW, weekAt);
    assert.ok(entry !== undefined && advisor?.kind === AdSet);
    const object = entry.object() as never;
    const refused = advisor.refuse?.(object, { written: [entry], changed: [entry] }) ?? [];
    const advice = advisor.advise(object, [entry]);
    assert.equal(refused.length, advice.length);
    return advice;
  };
  const narrow = { audience: 'young' };
  assert.deepEqual(adviceAfter(900, narrow).length, 1);
  assert.match(
    adviceAfter(900, narrow).join(),
    /^Few get it: Its listeners have at most 5\d\d breaks a week at its placements, .* fewer than 1000\. Widen spec\.audience/,
  );
  assert.deepEqual(adviceAfter(100, narrow), []);
  assert.deepEqual(adviceAfter(1_000, {}), [], 'everybody');
});

test('the world of a write is made once, also where advisors are asked about several writes in turns', () => {
  class WalkedList extends Array<ReturnType<typeof entryOf>> {
    walks = 0;
    override [Symbol.iterator]() {
      this.walks += 1;
      return super[Symbol.iterator]();
    }
  }
  const advisor = servingAdvisors(adsKinds, worldOf([policy, placement, ...owners]), () => NOW).find(
    ({ kind }) => kind === Ad,
  );
  const writes = [1, 2].map(() => WalkedList.from([song, adSet(), ad()].map(entryOf)) as WalkedList);
  const advised = ad() && entryOf(ad()).object();
  for (let round = 0; round < 100; round += 1) {
    for (const written of writes) {
      assert.deepEqual(advisor?.advise(advised, written), []);
      assert.deepEqual(advisor?.refuse?.(advised, { written, changed: [] }), []);
    }
  }
  for (const { walks } of writes) assert.equal(walks, 1);
});
