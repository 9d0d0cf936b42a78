import assert from 'node:assert/strict';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { decideBreak, type BreakDecision, type BreakQuestion } from '../decisions/decide.ts';
import { countReasons } from '../decisions/explain.ts';
import type { AdsTable } from '../decisions/table.ts';
import { listenerPart } from '../listener-question.ts';
import { readPermission } from '../rules/consent/permission.ts';
import { LOAD_OWNERS } from '../rules/ad-load.ts';
import type { ListenerFacts } from '../rules/listener-rules.ts';
import { loadObstacle, rewardMsOf } from '../break-history.ts';
import { gppString, tcString } from './consent-strings.ts';
import { live, tableOf, worldOf } from './world.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { Placement } from '../kinds/placement.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
/** Our number in the Global Vendor List. */
export const VENDOR = 13;

/** An account with one ad; `wants` are attributes that its listeners have. */
function adOf(account: string, categories: readonly string[], wants: object = {}, explicit = false): LiveObject[] {
  const allOf = Object.entries(wants).map(([attribute, value]) => ({ attribute, in: [value] }));
  return [
    live(Advertiser, account, { currency: 'EUR', categories }),
    live(Campaign, `${account}.c`, { account }),
    live(AdSet, `${account}.s`, {
      account,
      campaign: `${account}.c`,
      bid: '9.00',
      tier: 'auction',
      position: 'any',
      ...(allOf.length === 0 ? {} : { when: { anyOf: [{ allOf }] } }),
    }),
    live(Asset, `${account}.f`, {
      account,
      format: 'audio',
      seconds: 10,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    }),
    live(Ad, `${account}.ad`, { account, adSet: `${account}.s`, asset: `${account}.f`, weight: 1, explicit }),
  ];
}

const WORLD: readonly LiveObject[] = [
  ...['genre', 'device', 'income'].map((name) => live(Attribute, name, { type: 'string' })),
  live(Placement, 'break', {
    format: 'audio',
    slots: 20,
    seconds: 600,
    currency: 'EUR',
    pricing: 'firstPrice',
    policy: 'rules',
    adFreeFeature: 'ad-free',
  }),
  ...adOf('plain', []),
  ...adOf('beer', ['alcohol']),
  ...adOf('toys', ['toys']),
  ...adOf('mixed', ['lego', 'games']),
  ...adOf('rude', ['rude'], {}, true),
  ...adOf('jazz', ['jazz'], { genre: 'jazz' }),
  ...adOf('phone', ['phones'], { device: 'phone' }),
  ...adOf('bank', ['banks'], { income: 'high' }),
];
const CONTEXT = { targetingKey: 'ann', genre: 'jazz', device: 'phone', income: 'high' };

export const POLICY = {
  explicit: 'unlessFiltered',
  ages: { teenFrom: 13, adultFrom: 18 },
  childCategories: ['toys', 'lego'],
  categories: [{ categories: ['alcohol'], minAge: 21, deniedIn: ['NO'] }],
  consent: [
    { territories: ['DE', 'FR'], framework: 'tcf', vendor: VENDOR },
    { territories: ['US'], framework: 'gpp' },
    { framework: 'none' },
  ],
  attributes: { contextual: ['genre'], limited: ['device'] },
};

/** Consents to everything. */
export const CONSENTED = tcString({
  purposeConsents: [1, 2, 3, 4, 7],
  vendorConsents: [VENDOR],
  disclosed: [VENDOR],
});

interface Answer extends BreakDecision {
  readonly table: AdsTable;
  readonly question: BreakQuestion;
  /** Accounts that are served, in alphabetical order. */
  readonly accounts: string;
}

/** The break of a listener, under a policy with this spec; undefined: the policy is missing. */
export function answerUnder(spec: unknown, facts: ListenerFacts & { readonly listener?: string }): Answer {
  const table = tableOf([...WORLD, ...(spec === undefined ? [] : [live(AdPolicy, 'rules', spec)])]);
  const placement = table.placements.get('break');
  assert.ok(placement !== undefined);
  const question = {
    placement,
    ...listenerPart(placement, { listener: 'ann', ...facts }, { context: CONTEXT, nowMs: NOW_MS }, readPermission),
    slots: 20,
    seconds: 600,
    adjacent: new Set<string>(),
    filtersExplicit: false,
    aheadMs: 0,
    hasGrace: true,
    tokenBytesMax: Infinity,
    heldBack: () => undefined,
    random: () => 0.5,
  };
  const decision = decideBreak(table, question);
  const accounts = decision.served.map(({ adSet }) => adSet.advertiser.replace('default/', '')).toSorted();
  return { ...decision, table, question, accounts: accounts.join(' ') };
}

/** How many ad sets are not served for each reason. */
export function reasonsOf({ table, question, ...decision }: Answer): Readonly<Record<string, number>> {
  return Object.fromEntries(
    atOnce(countReasons(table, question, decision)).map(({ reason, adSets }) => [reason, adSets]),
  );
}

/** Whether another break is allowed so many minutes after two others, of which the later one began the session. */
function loadsOf(asked: BreakQuestion): unknown {
  return [2, 30, 50].map((minutes) => {
    const exposures = [0, 1].map((id) => ({ id, hasPlayed: true, ms: NOW_MS - (minutes + id) * 60_000 }));
    const [later] = exposures;
    const question = { id: 0, hasPlayed: true, ms: NOW_MS - 60_000 };
    const groupOf = (owner: number, kept: typeof exposures) => ({
      owners: [owner],
      keepMs: 3_600_000,
      exposures: kept,
    });
    const history = {
      groups: [
        groupOf(LOAD_OWNERS.breaks, exposures),
        groupOf(LOAD_OWNERS.sessionStart, later === undefined ? [] : [later]),
        groupOf(LOAD_OWNERS.question, [question]),
      ],
    };
    return loadObstacle(asked, { rows: new Map([[asked.historyScope, { key: '', version: 1, history }]]) });
  });
}

/** Everything that listeners notice of a policy. */
export function observePolicy(spec: unknown): unknown {
  const interests = tcString({ purposeInterests: [2, 7], vendorInterests: [VENDOR], disclosed: [VENDOR] });
  const listeners: readonly ListenerFacts[] = [
    { territory: 'DE', tcf: CONSENTED, age: 30 },
    { territory: 'DE', tcf: interests, age: 30 },
    { territory: 'US', gpp: gppString({ usnat: { TargetedAdvertisingOptOut: 2 } }), age: 30 },
    ...['DE', 'NO', 'JP'].flatMap((territory) => [12, 17, 30].map((age) => ({ territory, age }))),
    { territory: 'JP', ageGroup: 'adult' },
  ];
  const answers = listeners.map((facts) => {
    const { accounts, question } = answerUnder(spec, facts);
    const { placement, rules, historyScope } = question;
    const rewarded = { ...placement, spec: { ...placement.spec, rewarded: true } };
    return [accounts, rules.permission.measurement, historyScope, loadsOf(question), rewardMsOf(rewarded)];
  });
  const world = worldOf(WORLD);
  const refs = AdPolicy.refs?.(spec, 'default').filter((ref) => world.get(ref.kind, ref.name) === undefined);
  return [answers, refs];
}
