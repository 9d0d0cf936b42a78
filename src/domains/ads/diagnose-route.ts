import { Type } from 'typebox';
import { inTurns } from '#kernel/base/turns.ts';
import { defineRoute, type AnswerContext, type DecisionRoute } from '#kernel/snapshots/module.ts';
import type { AdFacts } from './ad-facts.ts';
import type { BreakParts } from './ad-routes.ts';
import { adSetNamed } from './decisions/ad-sets.ts';
import type { HoldBack } from './decisions/decide.ts';
import { servingReasons } from './decisions/serving-reasons.ts';
import { mayStandAt } from './decisions/places.ts';
import type { AdsTable, CompiledAdSet } from './decisions/table.ts';
import type { SampledBreaks } from './diagnosis/recent-breaks.ts';
import {
  eligibleOf,
  lossesOf,
  moneyLoss,
  percent,
  shareOf,
  standingLosses,
  type Loss,
  type ReplayCounts,
} from './diagnosis/losses.ts';
import type { LimitUse } from './money/open-money.ts';
import { adRefusal } from './refusals.ts';
import { mostCharged } from './rules/goals.ts';
import { decimalOf } from './rules/micros.ts';
import { replayBreaks } from './replay-breaks.ts';

/** A budget with this share of what is expected by now is spent as planned. */
const ON_PACE = 0.95;

const text = (description: string) => Type.String({ description });
const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });

const DiagnosisAnswer = Type.Object({
  adSet: text('Live name of the AdSet.'),
  at: Type.String({ format: 'date-time', description: 'When it was asked.' }),
  summary: text('The whole in a sentence or two.'),
  currency: text('Of the account: of all money here. Empty where its Advertiser is not declared.'),
  budgets: Type.Array(
    Type.Object({
      owner: text('`adset NAME`, `campaign NAME` or `account NAME`.'),
      per: Type.Enum(['day', 'lifetime'], { description: 'The present day of the account, or ever.' }),
      limit: text('The budget.'),
      used: text('What was charged, or is reserved for ads that may still play, on all nodes.'),
      expected: Type.Optional(text('Of a budget that is spread: what would be used by now.')),
    }),
    { description: 'Budgets that it keeps to; empty where it has none, or this process has no database.' },
  ),
  requests: Type.Object(
    {
      asked: Type.Integer({ description: 'Breaks at its placements that this node answered.' }),
      since: Type.Optional(Type.String({ format: 'date-time', description: 'Since when; absent: there was none.' })),
      replayed: Type.Integer({ description: 'An even sample of them, which was decided anew.' }),
      eligible: share('The share of them that fits its ads and its audience.'),
      served: share('The share of the eligible ones in which it would be served if it has money.'),
    },
    { description: 'As this node sees them: others answer breaks of their own.' },
  ),
  losses: Type.Array(
    Type.Object({
      reason: text('As /v1/ads/explain names it; or `ad load`.'),
      share: share('From 0 to 1.'),
      of: Type.Enum(['requests', 'eligible requests'], { description: 'What the share is of.' }),
      sentence: text('The same in words.'),
      remedy: text('What helps.'),
    }),
    { description: 'What keeps it from being served, the most important first.' },
  ),
});

type Parts = Pick<BreakParts, 'recent' | 'money' | 'random' | 'records'>;

/** Answers why an ad set does not spend its budget. */
export function diagnoseRoute(parts: Parts): DecisionRoute<AdsTable> {
  return defineRoute({
    path: '/v1/ads/diagnose',
    access: 'insight',
    summary:
      'Explains in words why an ad set does not spend its budget: what its requests are lost to, and what helps.',
    forServers: true,
    isAboutNobody: true,
    input: Type.Object(
      { adSet: Type.String({ minLength: 1, maxLength: 320, description: 'Live name of the AdSet: NAMESPACE/NAME.' }) },
      { additionalProperties: false },
    ),
    answer: DiagnosisAnswer,
    handle: async ({ adSet: name }, { table, now: nodeTime }: AnswerContext<AdsTable, AdFacts>) => {
      const adSet = adSetNamed(table, name);
      if (adSet === undefined) throw adRefusal('unknown-ad-set', `There is no ad set "${name}".`);
      const now = parts.records?.clock() ?? nodeTime;
      const nowMs = now.epochMilliseconds;
      const uses = await parts.records?.money.readUse(adSet);
      const recent = parts.recent.list(nowMs);
      const own = (recent?.breaks ?? []).filter(({ placement: place }) => {
        const placement = table.placements.get(place);
        return placement !== undefined && mayStandAt(adSet, placement);
      });
      const standing = standingLosses(adSet, servingReasons(adSet, table.placements, nowMs));
      // An ad set that is served to nobody has no other losses.
      const counts =
        standing.length > 0 ? nothingReplayed(own) : await inTurns(replayBreaks(adSet, own, { ...parts, table }));
      const losses =
        standing.length > 0
          ? standing
          : [...moneyLosses(adSet, uses, parts.money.heldBack(adSet)), ...lossesOf(adSet, counts)];
      const eligible = eligibleOf(counts);
      return {
        adSet: name,
        at: now.toString(),
        summary: summaryOf(adSet, { uses, losses, counts }),
        currency: adSet.currency,
        budgets: (uses ?? []).flatMap(describeUse),
        requests: {
          asked: counts.requests,
          ...(recent === undefined ? {} : { since: Temporal.Instant.fromEpochMilliseconds(recent.sinceMs).toString() }),
          replayed: counts.replayed,
          eligible: shareOf(eligible, counts.requests),
          served: shareOf(counts.served, eligible),
        },
        losses,
      };
    },
  });
}

function nothingReplayed(breaks: readonly SampledBreaks[]): ReplayCounts & { readonly replayed: number } {
  return { requests: breaks.reduce((sum, { asked }) => sum + asked, 0), served: 0, lost: new Map(), replayed: 0 };
}

/** The first budget that has no room for one more event, or the pace of its own. */
function moneyLosses(
  adSet: CompiledAdSet,
  uses: readonly LimitUse[] | undefined,
  heldBack: HoldBack | undefined,
): readonly Loss[] {
  const { currency, money } = adSet;
  if (uses === undefined) {
    const isLimited = money.limits.some(({ limit }) => limit !== 'unlimited');
    return isLimited ? [moneyLoss('budget unknown')] : [];
  }
  if (heldBack === 'other currency') return [moneyLoss(heldBack)];
  const price = mostCharged(adSet);
  for (const use of uses) {
    const { limit, used, pace } = use;
    if (limit === 'unlimited') continue;
    const reserved = `${decimalOf(used)} of ${decimalOf(limit)} ${currency} of ${nameOf(use)}`;
    if (used + price > limit) return [moneyLoss('budget spent', `${reserved} are charged or reserved.`)];
    if (pace !== undefined && used + price > pace.released) {
      const released = `pacing has released ${decimalOf(pace.released)} by now`;
      return [moneyLoss('ahead of its pace', `${reserved} are charged or reserved, and ${released}.`)];
    }
  }
  return [];
}

function nameOf({ owner, per }: LimitUse): string {
  return `the ${per === 'day' ? 'daily' : 'lifetime'} budget of ${owner.replace(/^adset /, 'ad set ')}`;
}

function describeUse({ owner, per, limit, used, pace }: LimitUse): readonly object[] {
  if (limit === 'unlimited') return [];
  const expected = pace === undefined ? {} : { expected: decimalOf(pace.expected) };
  return [{ owner, per, limit: decimalOf(limit), used: decimalOf(used), ...expected }];
}

/** How its money stands, and the first thing that keeps it from being served. */
function summaryOf(
  { currency }: CompiledAdSet,
  given: {
    readonly uses: readonly LimitUse[] | undefined;
    readonly losses: readonly Loss[];
    readonly counts: ReplayCounts;
  },
): string {
  const { uses = [], losses, counts } = given;
  const [first] = losses;
  const served = shareOf(counts.served, eligibleOf(counts));
  const rest =
    first !== undefined
      ? first.sentence
      : counts.requests === 0
        ? 'This node answered no break at its placements lately.'
        : `It would be served in ${percent(served)} of the eligible requests: if its budget is not used, its ads are not played or not reported.`;
  return [...moneySentence(uses, currency), rest].join(' ');
}

function moneySentence(uses: readonly LimitUse[], currency: string): readonly string[] {
  const paced = uses.find(({ pace }) => pace !== undefined);
  if (paced?.pace !== undefined) {
    const { expected } = paced.pace;
    const how = paced.used >= ON_PACE * expected ? 'It spends as planned' : 'It is behind its plan';
    return [`${how}: ${decimalOf(paced.used)} of ${decimalOf(expected)} ${currency} that were expected by now.`];
  }
  const limited = uses.find(({ limit }) => limit !== 'unlimited');
  if (limited === undefined || limited.limit === 'unlimited') return [];
  return [`It used ${decimalOf(limited.used)} of ${decimalOf(limited.limit)} ${currency} of ${nameOf(limited)}.`];
}
