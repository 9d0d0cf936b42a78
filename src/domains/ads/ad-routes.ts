import { Type, type Static } from 'typebox';
import { contextProblems } from '#kernel/audiences/check-context.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { jsonPointer } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { inTurns } from '#kernel/base/turns.ts';
import { defineRoute, type AnswerContext, type DecisionRoute } from '#kernel/snapshots/module.ts';
import type { AdFacts } from './ad-facts.ts';
import type { RecentBreaks } from './diagnosis/recent-breaks.ts';
import { decideBreak, type BreakDecision, type BreakQuestion, type ServedAd } from './decisions/decide.ts';
import { countReasons } from './decisions/explain.ts';
import type { AdsTable, CompiledAdSet } from './decisions/table.ts';
import { CATEGORIES_MAX } from './kinds/parts.ts';
import { TIERS } from './kinds/ad-set.ts';
import type { HistorySubject } from './history/histories.ts';
import { ConsentAnswer, describeConsent, LISTENER_INPUTS, listenerPart } from './listener-question.ts';
import type { PermissionCache } from './rules/consent/permission-cache.ts';
import { adRefusal } from './refusals.ts';
import { GOALS } from './rules/goals.ts';
import { decimalOf } from './rules/micros.ts';
import type { AdRecords } from './open-ad-records.ts';
import { heldBackBy, loadObstacle, readHistory } from './break-history.ts';
import { BreakWait } from './break-wait.ts';
import { serveBreak, type ReservedAd, type ReservedBreak, type ServingParts } from './serve-break.ts';
import { adBytesMax, newDecisionId } from './serving/ad-token.ts';
import { issueTokens, type IssuedFor } from './issue-tokens.ts';

const SECOND_MS = 1_000;
const CONTEXT_BYTES_MAX = 64 * 1024;
const ADJACENT_ADS_MAX = 40;

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 253, description }));
const word = (description: string) => Type.String({ description });

const QuestionSchema = Type.Object(
  {
    placement: Type.String({ minLength: 1, maxLength: 253, description: 'Name of the Placement.' }),
    listener: text('Id of the listener.'),
    plan: text('Name of the Plan, for listeners without a subscription on record.'),
    market: text('Name of the Market.'),
    territory: text(
      'ISO 3166-1 alpha-2, in capitals: where the listener is, for the rules of the AdPolicy. Another text counts as unknown.',
    ),
    role: text('Role on the plan.'),
    ...LISTENER_INPUTS,
    household: text(
      'Id of the household, for listeners without a subscription on record. Frequency caps may count it.',
    ),
    device: text('Id of the device, for frequency caps.'),
    session: text('Id of the session, for frequency caps: of one use of the app, and no listener.'),
    context: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Attributes for audiences. The listener is targetingKey.',
      }),
    ),
    slots: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, description: 'Fewer slots than the placement has.' })),
    seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 600, description: 'A shorter break than its longest.' }),
    ),
    adjacent: Type.Optional(
      Type.Array(
        Type.Object(
          {
            advertiser: word('Its advertiser, as it was answered.'),
            categories: Type.Array(Type.String(), { maxItems: CATEGORIES_MAX, description: 'As they were answered.' }),
          },
          { additionalProperties: false, description: 'An ad of the break before or after.' },
        ),
        {
          maxItems: ADJACENT_ADS_MAX,
          description: 'Ads of adjacent breaks: their advertisers and categories are not served.',
        },
      ),
    ),
    filtersExplicit: Type.Optional(Type.Boolean({ description: 'Whether the listener filters what is explicit.' })),
  },
  { additionalProperties: false },
);

export type Question = Static<typeof QuestionSchema> & {
  /** How long after the answer the break begins. */
  readonly aheadSeconds?: number;
};

/** Parts that all questions about breaks share. */
export const BREAK_ASKING = {
  subjectInputs: ['listener', 'plan', 'market', 'territory', 'role', 'household', 'age', 'ageGroup'],
  // The gate reads it, and its answer tells who subscribes.
  recordOf: { input: 'listener', path: '/v1/subjects' },
  bodyBytesMax: CONTEXT_BYTES_MAX,
  input: QuestionSchema,
};

const AdAnswer = Type.Object(
  {
    ad: word('Name of the Ad.'),
    adSet: word('Name of the AdSet.'),
    campaign: word('Name of the Campaign.'),
    advertiser: word('Name of the Advertiser.'),
    categories: Type.Array(Type.String(), { description: 'Categories of the advertiser.' }),
    // Bids are not for listeners: what tells of them is answered to server Clients and users.
    tier: Type.Optional(Type.Enum(TIERS, { description: 'Its priority; for server Clients.' })),
    goal: Type.Optional(
      Type.Enum(GOALS, {
        description:
          'What is paid for, for server Clients. cpm: its impression. cpc: a click. cpcv: a play to the end.',
      }),
    ),
    price: Type.Optional(word('What that one event costs; for server Clients.')),
    currency: Type.Optional(word('ISO 4217 code of the price; for server Clients.')),
    seconds: Type.Integer({ description: 'How long it plays; 0 for an image.' }),
    clickThrough: Type.Optional(word('The page that a click opens.')),
    renditions: Type.Array(Type.Unknown(), { description: 'Its files, as the Asset has them.' }),
    vastTagUri: Type.Optional(word('The VAST of another ad server, instead of files.')),
    companions: Type.Optional(Type.Array(Type.Unknown(), { description: 'Pictures to show while it plays.' })),
    token: Type.Optional(word('Reports its events: /v1/ads/events/EVENT?token=TOKEN. Who has it needs no key.')),
  },
  { description: 'An ad of the break.' },
);

const NO_ADS = [
  'snapshotOld',
  'adFree',
  'entitlementUnknown',
  'policyMissing',
  'rewarded',
  'grace',
  'adLoad',
  'adLoadUnknown',
  'noCandidate',
] as const;

const BreakAnswer = {
  placement: word('Name of the Placement.'),
  ads: Type.Array(AdAnswer, { description: 'In the order in which they play.' }),
  seconds: Type.Integer({ description: 'How long they play together.' }),
  noAds: Type.Optional(
    Type.Enum(NO_ADS, {
      description:
        'Why there is none: the node has not heard of the control plane for a minute, so a pause may be unknown to it; the listener has the ad-free feature; whether they have it cannot be known; the placement has no AdPolicy; by the load of the policy the listener was rewarded with time without ads, or the session has just begun, or there were too many breaks or the last one too recently; how many breaks there were is unknown, as nobody is named or the database does not answer; or no ad set fits.',
    }),
  ),
  mayMeasure: Type.Boolean({ description: 'Whether third parties may measure: if not, no pixel of theirs is called.' }),
  gap: Type.Optional(
    Type.Number({
      description: 'The share of the best possible sum that this break may lack. Absent: it is the best.',
    }),
  ),
};

/** The questions of apps at a break, and of people who ask why. */
export function adRoutes(parts: BreakParts): readonly DecisionRoute<AdsTable>[] {
  return [
    defineRoute({
      ...BREAK_ASKING,
      path: '/v1/ads/decide',
      access: 'catalogue',
      summary: 'Fills a break with ads: never for a listener with the ad-free feature.',
      answer: Type.Object(BreakAnswer),
      handle: async (question, context: AnswerContext<AdsTable, AdFacts>) => {
        const { ads, ...answer } = await answerBreak(question, context, parts);
        const { isTrusted } = context;
        return { ...describeBreak(answer), ads: ads.map((one) => describeServed(one, isTrusted)) };
      },
    }),
    defineRoute({
      ...BREAK_ASKING,
      path: '/v1/ads/explain',
      access: 'insight',
      summary: 'Explains how a break would be filled: why each ad set that is not in it is not.',
      forServers: true,
      explains: true,
      answer: Type.Object({
        ...BreakAnswer,
        consent: ConsentAnswer,
        adSets: Type.Integer({ description: 'How many ad sets there are.' }),
        reasons: Type.Array(
          Type.Object({
            reason: word('Why they are not served.'),
            adSets: Type.Integer({ description: 'How many.' }),
            example: word('One of them.'),
          }),
          { description: 'The most frequent first; empty where the listener gets no ads at all, see noAds.' },
        ),
        candidates: Type.Array(
          Type.Object({
            adSet: word('Name of the AdSet.'),
            tier: Type.Enum(TIERS, { description: 'Its priority.' }),
            goal: Type.Enum(GOALS, { description: 'What it pays for.' }),
            bid: word('The most that it pays for that, in the currency of its account.'),
            ecpm: word('What a thousand impressions earn at its bid, in the currency of the placement.'),
            served: Type.Boolean({ description: 'Whether it is in the break.' }),
          }),
          { description: 'What the break was packed from, the best first.' },
        ),
      }),
      handle: async (question, context: AnswerContext<AdsTable, AdFacts>) => {
        const gated = await openBreak(question, context, parts);
        // Nothing is reserved or counted: who asks why spends nobody's money.
        const answer = gated.noAds === undefined ? await explainBreak(question, gated.asked, context, parts) : gated;
        const { asked } = answer;
        const { noAds, decision } = answer;
        // A listener who gets no ads at all has no ad set to explain.
        const isGated = noAds !== undefined && noAds !== 'noCandidate';
        const reasons = isGated ? [] : await inTurns(countReasons(context.table, asked, decision));
        const served = new Set(decision.served.map(({ adSet }) => adSet));
        return {
          ...describeBreak(answer),
          ads: decision.served.map((one) => describeAd(one, context.isTrusted)),
          consent: describeConsent(asked),
          adSets: context.table.size,
          reasons,
          candidates: decision.candidates.map(({ adSet, ecpm }) => ({
            adSet: adSet.name,
            tier: TIERS[adSet.tier],
            goal: adSet.goal,
            bid: decimalOf(adSet.bid),
            ecpm: decimalOf(ecpm),
            served: served.has(adSet),
          })),
        };
      },
    }),
  ];
}

/** Beside the snapshot: chance, the budgets of this process, and what listeners got. */
export interface BreakParts extends ServingParts {
  readonly random: () => number;
  readonly permissions: PermissionCache;
  readonly recent: RecentBreaks;
  /** Undefined without a database: then nothing can be reported of an ad, and none has a token. */
  readonly records: AdRecords | undefined;
}

/**
 * A node that hears nothing of the control plane serves ads for so long: it cannot know of a pause, a lowered budget or a policy.
 * Longer than a restart of the API takes, and as long as the money is usable that a node has in memory.
 */
const SNAPSHOT_AGE_MS_MAX = 60_000;

type NoAds = (typeof NO_ADS)[number];

/** A question with its decision; `noAds` says why there are none. */
interface BreakOutcome {
  readonly asked: BreakQuestion;
  readonly noAds: NoAds | undefined;
  readonly decision: BreakDecision;
}

const NOTHING: BreakDecision = { served: [], candidates: [], gap: 0 };

/** An ad of an answer. */
interface AnsweredAd {
  readonly served: ReservedAd;
  /** See `AdToken`; undefined where this process keeps no records. */
  readonly token: string | undefined;
}

/** A break with its id, which its tokens and the history of the listener name. */
interface AnsweredBreak extends BreakOutcome {
  readonly id: string;
  readonly ads: readonly AnsweredAd[];
}

/** A break that is answered to a player: its money is reserved, and its ads have their tokens. */
export async function answerBreak(
  question: Question,
  context: AnswerContext<AdsTable, AdFacts>,
  parts: BreakParts,
): Promise<AnsweredBreak> {
  const gated = await openBreak(question, context, parts);
  const id = newDecisionId();
  const countBreak = parts.records?.metrics.countBreak;
  if (gated.noAds !== undefined) {
    countBreak?.(gated.noAds, { asked: 0, filled: 0 });
    return { ...gated, id, ads: [] };
  }
  parts.money.countBreak(question.placement, question.market);
  const { asked, subject, issuedFor } = await identify(question, gated.asked, context.facts, parts);
  const decision = await serveBreak(context.table, asked, parts, {
    decision: id,
    subject,
    issueTokens: (served) =>
      parts.records === undefined ? [] : issueTokens(parts.records, served, { decision: id, ...issuedFor }),
  });
  parts.recent.add(asked, { subject, history: decision.history }, context.table.audiences.attributes);
  const ads = decision.served.map((served, place) => ({ served, token: decision.tokens[place] }));
  const outcome = outcomeOf(asked, decision);
  const slots = { asked: asked.slots, filled: ads.length };
  countBreak?.(outcome.noAds ?? 'served', slots);
  // A load that allows no break leaves nothing to fill.
  if (decision.load === undefined) {
    const { placement, market } = question;
    parts.records?.samples.add(asked, context.table.audiences.attributes);
    parts.records?.breaks.count({ placement, market, slots: slots.asked, filled: slots.filled }, asked.nowMs);
  }
  return { ...outcome, id, ads };
}

/** The break that is asked about, behind the gate. */
async function openBreak(
  question: Question,
  context: AnswerContext<AdsTable, AdFacts>,
  parts: BreakParts,
): Promise<BreakOutcome> {
  const { facts, now } = context;
  const asked = breakQuestion(question, context, parts);
  if (context.snapshotAgeMs() > SNAPSHOT_AGE_MS_MAX) return { asked, noAds: 'snapshotOld', decision: NOTHING };
  const found = facts.hasFeature(question, asked.placement.spec.adFreeFeature, now);
  // Unknown is no: a subscriber must never hear an ad. So it is where the record of the listener cannot be read in time.
  const isAdFree = found instanceof Promise ? await readInTime(found, parts) : found;
  if (isAdFree !== false) {
    return { asked, noAds: isAdFree === true ? 'adFree' : 'entitlementUnknown', decision: NOTHING };
  }
  return { asked, noAds: asked.placement.policy === undefined ? 'policyMissing' : undefined, decision: NOTHING };
}

async function readInTime<Fact>(fact: Promise<Fact>, { time }: BreakParts): Promise<Fact | undefined> {
  using wait = new BreakWait(time);
  return await wait.ask(() => fact);
}

function outcomeOf(asked: BreakQuestion, decision: BreakDecision & Pick<ReservedBreak, 'load'>): BreakOutcome {
  const noAds = decision.load ?? (decision.served.length === 0 ? 'noCandidate' : undefined);
  return { asked, noAds, decision };
}

/** A question with the ids of its listener, and the room that they leave in tokens. */
async function identify(
  question: Question,
  asked: BreakQuestion,
  facts: AdFacts,
  { records }: BreakParts,
): Promise<{
  readonly asked: BreakQuestion;
  readonly subject: HistorySubject;
  readonly issuedFor: Omit<IssuedFor, 'decision'>;
}> {
  const subject = await historySubject(question, asked, facts);
  const { listener, plan, market, territory, role } = question;
  const { name, spec } = asked.placement;
  const issuedFor = {
    placement: name,
    adFreeFeature: spec.adFreeFeature,
    subject: { ...subject, listener, plan, market, territory, role },
    mayProfile: asked.historyScope === 'listener',
  };
  const tokenBytesMax = records === undefined ? Infinity : adBytesMax(issuedFor);
  return { asked: { ...asked, tokenBytesMax }, subject, issuedFor };
}

/**
 * The ids whose histories caps are counted in: without permission only the session. The record knows the household better
 * than the question.
 */
async function historySubject(
  question: Question,
  { historyScope }: BreakQuestion,
  { cohortSubject }: AdFacts,
): Promise<HistorySubject> {
  const { listener, household, device, session } = question;
  if (historyScope === 'session' || listener === undefined) return { session };
  const { context } = await cohortSubject(question);
  const onRecord = context['household'];
  // A listener without a known household is a household of one.
  return { household: typeof onRecord === 'string' ? onRecord : (household ?? listener), listener, device, session };
}

/** The break as it would be decided now, by what the listener got already. */
async function explainBreak(
  question: Question,
  open: BreakQuestion,
  { table, facts }: AnswerContext<AdsTable, AdFacts>,
  parts: BreakParts,
): Promise<BreakOutcome> {
  const { asked, subject } = await identify(question, open, facts, parts);
  using wait = new BreakWait(parts.time);
  const history = await readHistory(table, asked, { histories: parts.histories, wait, subject });
  const load = loadObstacle(asked, history);
  if (load !== undefined) return { asked, noAds: load, decision: NOTHING };
  const counted = { ...asked, heldBack: heldBackBy(asked, history) };
  return outcomeOf(counted, decideBreak(table, counted));
}

function breakQuestion(
  question: Question,
  { table: { placements, audiences }, now, isTrusted }: AnswerContext<AdsTable, AdFacts>,
  { random, money, permissions, records }: BreakParts,
): BreakQuestion {
  const placement = placements.get(question.placement);
  if (placement === undefined) {
    const near = didYouMean(nearSpellings(question.placement, placements.keys()));
    throw adRefusal('unknown-placement', `There is no live placement "${question.placement}"${near}.`);
  }
  const { listener, adjacent = [], filtersExplicit = false, slots = Infinity, seconds = Infinity } = question;
  const { aheadSeconds = 0 } = question;
  const context = { ...question.context, ...(listener === undefined ? {} : { [TARGETING_KEY]: listener }) };
  const [problem] = contextProblems(context, audiences.attributes);
  if (problem !== undefined) {
    const path = ['context', ...problem.path];
    throw adRefusal('invalid-question', `${jsonPointer(path)}: ${problem.detail}`, {
      problems: [{ path, reason: problem.reason, detail: problem.detail }],
    });
  }
  // Histories have the time of the database: the clock of a node that is wrong neither lifts nor prolongs a cap.
  const nowMs = (records?.clock() ?? now).epochMilliseconds;
  const part = listenerPart(placement, question, { context, nowMs }, permissions.read);
  const { spec } = placement;
  const most = Math.min(slots, spec.slots);
  return {
    placement,
    ...part,
    aheadMs: aheadSeconds * SECOND_MS,
    hasGrace: part.historyScope === 'listener' || isTrusted,
    slots: most,
    seconds: spec.seconds === undefined ? most : Math.min(seconds, spec.seconds),
    adjacent: new Set(adjacent.flatMap(({ advertiser, categories }) => [advertiser, ...categories])),
    filtersExplicit,
    tokenBytesMax: Infinity,
    heldBack: money.heldBack,
    random,
  };
}

function describeBreak({ asked, noAds, decision: { served, gap } }: BreakOutcome): object {
  return {
    placement: asked.placement.name,
    seconds: served.reduce((sum, { ad }) => sum + ad.asset.seconds, 0),
    mayMeasure: asked.rules.permission.measurement,
    ...(noAds === undefined ? {} : { noAds }),
    ...(gap === 0 ? {} : { gap }),
  };
}

function describeAd({ adSet, ad, charge }: ServedAd, isTrusted: boolean): object {
  const { asset, clickThrough } = ad;
  return {
    ad: ad.name,
    adSet: adSet.name,
    campaign: adSet.campaign,
    advertiser: adSet.advertiser,
    categories: adSet.categories,
    ...(isTrusted ? pricingOf(adSet, charge) : {}),
    seconds: asset.seconds,
    ...(clickThrough === undefined ? {} : { clickThrough }),
    renditions: asset.renditions,
    ...(asset.vastTagUri === undefined ? {} : { vastTagUri: asset.vastTagUri }),
    ...(ad.companions.length === 0 ? {} : { companions: ad.companions }),
  };
}

/** An ad with the token that a player needs. */
function describeServed({ served, token }: AnsweredAd, isTrusted: boolean): object {
  return { ...describeAd(served, isTrusted), ...(token === undefined ? {} : { token }) };
}

function pricingOf({ tier, goal, currency }: CompiledAdSet, charge: number): object {
  return { tier: TIERS[tier], goal, price: decimalOf(charge), currency };
}
