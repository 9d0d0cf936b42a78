import type { Context } from '#kernel/audiences/language/language.ts';
import { TIERS } from '../kinds/ad-set.ts';
import {
  inPlayOrder,
  NO_EDGES,
  packPod,
  POD_LIMITS,
  vcgPayments,
  withEdge,
  type PodCandidate,
  type PodEdges,
} from '../rules/pack-pod.ts';
import type { CapObstacle } from '../rules/cap-check.ts';
import { categoryObstacle, OPEN_RULES, type CategoryObstacle, type ListenerRules } from '../rules/listener-rules.ts';
import { chargeOf, ecpmOf } from '../rules/goals.ts';
import { sizeOf, type Ratio } from '../rules/ratio.ts';
import type { AdSetRows } from './ad-set-rows.ts';
import { adSetAt } from './ad-sets.ts';
import { rankOf } from './compile.ts';
import { ecpmIfFit, isInDayParts, worthsAt, type WorthOf } from './may-fit.ts';
import { mayStandAt } from './places.ts';
import type { AdsTable, CompiledAd, CompiledAdSet, CompiledPlacement } from './table.ts';

/** A break that an app asks ads for. */
export interface BreakQuestion {
  readonly placement: CompiledPlacement;
  /** The listener, by attributes. */
  readonly context: Context;
  readonly nowMs: number;
  /** How long after that it begins: breaks of an episode are fetched at once. The load counts it there. */
  readonly aheadMs: number;
  /** The clock of the listener at this moment, as if it were UTC; undefined: unknown. */
  readonly wallMs: number | undefined;
  /** At most those of the placement. */
  readonly slots: number;
  readonly seconds: number;
  /** Advertisers and categories of the breaks before and after. */
  readonly adjacent: ReadonlySet<string>;
  readonly filtersExplicit: boolean;
  /** Rules of the policy for this listener. */
  readonly rules: ListenerRules;
  /** Whose history may be read and written. */
  readonly historyScope: 'listener' | 'session';
  /** Whether the first minutes of a session may be without ads: not where the app itself names sessions. */
  readonly hasGrace: boolean;
  /** Bytes that an ad may take in its token, beside the ids of the question. */
  readonly tokenBytesMax: number;
  /** Why an ad set cannot be served at the moment, though it fits; undefined where it can. */
  readonly heldBack: (adSet: CompiledAdSet) => HoldBack | undefined;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** A question about a whole break: the listener may get everything, and nothing is held back. */
export function openQuestion(placement: CompiledPlacement, nowMs: number): BreakQuestion {
  const { slots, seconds } = placement.spec;
  return {
    placement,
    context: {},
    nowMs,
    aheadMs: 0,
    wallMs: undefined,
    slots,
    seconds: seconds ?? slots,
    adjacent: new Set(),
    filtersExplicit: false,
    tokenBytesMax: Infinity,
    rules: OPEN_RULES,
    historyScope: 'listener',
    hasGrace: true,
    heldBack: () => undefined,
    random: () => 0,
  };
}

/** Why an ad set waits, though it fits: by its money, or by what the listener got. */
export type HoldBack = MoneyObstacle | CapObstacle;

/** other currency: the ledger of its account counts in one that the account had before. */
export type MoneyObstacle = 'budget spent' | 'ahead of its pace' | 'budget unknown' | 'other currency';

/** Why an ad set is not among the candidates of a break. */
export type Obstacle =
  | HoldBack
  | CategoryObstacle
  | 'not begun'
  | 'over'
  | 'outside its day parts'
  | 'other placements'
  | 'no exchange rate'
  | 'adjacent break'
  | 'blocked category'
  | 'no ad of the format'
  | 'third party'
  | 'explicit'
  | 'too long'
  | 'token too long'
  | 'below the floor';

export interface ServedAd {
  readonly adSet: CompiledAdSet;
  readonly ad: CompiledAd;
  /** Revenue of a thousand impressions at its bid, in micro-units of the currency of the placement. */
  readonly bidEcpm: number;
  /** The same at its price. */
  readonly ecpm: number;
  /** Price of the event of its goal, in micro-units of the currency of the account. */
  readonly charge: number;
}

export interface BreakDecision {
  /** In the order in which they play. */
  readonly served: readonly ServedAd[];
  /** The candidates of the packing, the served ones among them, best first. */
  readonly candidates: readonly Candidate[];
  /** See `PodPacking.gap`; the largest of all tiers. */
  readonly gap: number;
}

interface Candidate {
  readonly adSet: CompiledAdSet;
  readonly ad: CompiledAd;
  /** Expected revenue of a thousand impressions at its bid, in micro-units of the currency of the placement. */
  readonly ecpm: number;
  /** The worth of a unit that it bids. */
  readonly worth: Ratio;
}

/**
 * Fills a break, one tier after the other: each tier exactly, from what the tiers before leave. The candidates are the best ad
 * sets for the listener. Of ad sets that rule each other out and take the same room only the best is one.
 */
export function decideBreak(table: AdsTable, question: BreakQuestion): BreakDecision {
  const { candidates, isCut } = findCandidates(table, question, POD_LIMITS.candidatesMax);
  const decision = packBreak(candidates, question);
  // Nothing is known of the rest.
  return isCut ? { ...decision, gap: 1 } : decision;
}

/**
 * Decides as `decideBreak`, from a few candidates where they show that no further one could earn more: so it is in most breaks. Of
 * several sets that earn the most it may give another one. `candidates` are those that it was packed from.
 */
export function decideQuickly(table: AdsTable, question: BreakQuestion): BreakDecision {
  // Second prices depend on further candidates: on those that lose a slot.
  if (question.placement.spec.pricing === 'secondPrice') return decideBreak(table, question);
  const { candidates, lowest, isCut } = findCandidates(table, question, question.slots + CANDIDATES_SPARE);
  if (isCut) return decideBreak(table, question);
  const decision = packBreak(candidates, question);
  return lowest === undefined || isBest(decision, question.slots, lowest) ? decision : decideBreak(table, question);
}

/** Candidates beside those for the slots: the best ones may exclude each other. */
const CANDIDATES_SPARE = 6;

/**
 * Whether a break earns as much as any that has one more candidate, none of which ranks above the lowest one. All slots are taken; so
 * in its tier the most is the highest prices for all slots but one, and the price of the lowest for that one.
 */
function isBest({ served, candidates, gap }: BreakDecision, slots: number, { adSet, ecpm }: Candidate): boolean {
  if (gap > 0 || served.length < slots) return false;
  const { tier } = adSet;
  let [own, earned] = [0, 0];
  for (const { adSet: other, bidEcpm } of served) {
    if (other.tier > tier) return false;
    if (other.tier < tier) continue;
    own += 1;
    earned += bidEcpm;
  }
  let most = ecpm;
  for (const candidate of candidates) {
    if (own <= 1) break;
    if (candidate.adSet.tier !== tier) continue;
    most += candidate.ecpm;
    own -= 1;
  }
  return own === 0 || earned >= most;
}

function packBreak(candidates: readonly Candidate[], question: BreakQuestion): BreakDecision {
  const served: ServedAd[] = [];
  let edges: PodEdges = NO_EDGES;
  let [seconds, slots, gap] = [question.seconds, question.slots, 0];
  const isSecondPrice = question.placement.spec.pricing === 'secondPrice';
  const searches = new Set(candidates.map(({ adSet }) => adSet.tier)).size * (isSecondPrice ? 2 : 1);
  const nodesMax = Math.floor(POD_LIMITS.nodesMax / Math.max(1, searches));
  for (let tier = 0; tier < TIERS.length && slots > 0; tier += 1) {
    const taken = new Set(served.flatMap(({ adSet }) => adSet.separations));
    const rivals = candidates.filter(
      ({ adSet }) => adSet.tier === tier && !adSet.separations.some((name) => taken.has(name)),
    );
    if (rivals.length === 0) continue;
    const pod = rivals.map(podCandidate);
    const room = { seconds, slots, edges };
    const packing = packPod(pod, room, nodesMax);
    const payments = isSecondPrice
      ? vcgPayments(pod, room, packing, {
          floorOf: (index) => floorOf(rivals[index] as Candidate, question.placement),
          nodesMax,
        })
      : packing.chosen.map((index) => (pod[index] as PodCandidate).price);
    for (const [place, index] of packing.chosen.entries()) {
      const rival = rivals[index] as Candidate;
      const ecpm = payments[place] as number;
      const { adSet, ad, worth } = rival;
      served.push({ adSet, ad, bidEcpm: rival.ecpm, ecpm, charge: chargeOf(adSet, ecpm, worth) });
      edges = withEdge(edges, rival.adSet.position) ?? edges;
      seconds -= lengthOf(rival.ad);
      slots -= 1;
    }
    gap = Math.max(gap, packing.gap);
  }
  const order = inPlayOrder(
    served.map((_, index) => index),
    served.map(({ adSet, bidEcpm }) => ({ price: rankOf(adSet.tier, bidEcpm), position: adSet.position })),
  );
  return { served: order.map((index) => served[index] as ServedAd), candidates, gap };
}

/** The best candidates of the index, and all newer ones. `lowest`: of the index, where there may be lower ones. */
function findCandidates(
  table: AdsTable,
  question: BreakQuestion,
  most: number,
): {
  readonly candidates: readonly Candidate[];
  readonly lowest: Candidate | undefined;
  /** Whether it has not looked at all that it had to. */
  readonly isCut: boolean;
} {
  const { rows, index, outdated, recent } = table;
  const { context, nowMs } = question;
  const scale = boundScale(table, question);
  const worthOf = worthsAt(question);
  const byPosition = new Map<number, Candidate>();
  const rooms = new Rooms();
  const looks = new Looks(table);
  const best = index.best(context, nowMs, most, (at, threshold) => {
    if (outdated.size > 0 && outdated.has(rows.objectAt(at).name)) return undefined;
    const ecpm = ecpmIfFit(rows, at, question, worthOf);
    if (ecpm === undefined) return undefined;
    if (rankOf(rows.tierAt(at), ecpm * scale) <= threshold || rooms.isTaken(rows, at, ecpm)) return undefined;
    if (!looks.mayLook(at)) return undefined;
    const adSet = adSetAt(table, at);
    const found = candidateOf(adSet, question, worthOf);
    // The index is in the order of the highest possible ranks: a later candidate may be better.
    if (found === undefined || !rooms.take(found)) return undefined;
    byPosition.set(at, found);
    return rankOf(found.adSet.tier, found.ecpm * scale);
  });
  const all = best.map((at) => byPosition.get(at) as Candidate);
  const lowest = all.length < most ? undefined : all.at(-1);
  for (const { adSet, matcher } of recent) {
    if (matcher !== undefined && matcher(context, nowMs) !== true) continue;
    const found = candidateOf(adSet, question, worthOf);
    if (found !== undefined && rooms.take(found)) all.push(found);
  }
  const candidates = all
    .filter((one) => rooms.has(one))
    .sort(compareCandidates)
    .slice(0, POD_LIMITS.candidatesMax);
  return { candidates, lowest, isCut: looks.isCut };
}

/** Ad sets that one search looks at, beside those that a fraction of the cost shows to be none: so no account stops a node. */
export const LOOK_LIMITS = {
  /** Of one advertiser, some 1 µs each: its best ones. */
  ofAdvertiser: 1_024,
  /** That are not compiled yet, some 20 µs each: later breaks compile the next ones. */
  compiled: 256,
  /** Of those, the ones of one advertiser. */
  compiledOfAdvertiser: 64,
} as const;

/** The ad sets that a search has looked at. */
class Looks {
  isCut = false;
  readonly #table: AdsTable;
  readonly #byAdvertiser = new Map<string, { looks: number; compiled: number }>();
  #compiled = 0;

  constructor(table: AdsTable) {
    this.#table = table;
  }

  mayLook(at: number): boolean {
    const { rows, compiled } = this.#table;
    const advertiser = rows.advertiserAt(at);
    let own = this.#byAdvertiser.get(advertiser);
    if (own === undefined) this.#byAdvertiser.set(advertiser, (own = { looks: 0, compiled: 0 }));
    const isNew = !compiled.has(at);
    const isEnough =
      own.looks >= LOOK_LIMITS.ofAdvertiser ||
      (isNew && (this.#compiled >= LOOK_LIMITS.compiled || own.compiled >= LOOK_LIMITS.compiledOfAdvertiser));
    if (isEnough) {
      this.isCut = true;
      return false;
    }
    own.looks += 1;
    own.compiled += Number(isNew);
    this.#compiled += Number(isNew);
    return true;
  }
}

function candidateOf(adSet: CompiledAdSet, question: BreakQuestion, worthOf: WorthOf): Candidate | undefined {
  if (adSet.halts.length > 0) return undefined;
  const ads = fittingAds(adSet, question, worthOf);
  if (typeof ads === 'string') return undefined;
  const ad = drawAd(ads, question.random());
  const worth = worthOf(adSet.currency, adSet.goal);
  return ad && worth && { adSet, ad, worth, ecpm: ecpmOf(adSet, worth) };
}

/** Brings revenue in the currency of a placement to the scale of the index: no ad set then exceeds its bound. */
function boundScale({ weights }: AdsTable, { placement, nowMs }: BreakQuestion): number {
  const scales = Array.from(
    placement.rates.at(nowMs),
    ([currency, rate]) => (weights.get(currency) ?? 1) / sizeOf(rate),
  );
  return Math.min(...scales);
}

/** The order of service: by tier, by what they earn, and of equal ones by name. */
function compareCandidates(a: Candidate, b: Candidate): number {
  const byRank = a.adSet.tier - b.adSet.tier || b.ecpm - a.ecpm;
  return byRank || (a.adSet.name < b.adSet.name ? -1 : Number(a.adSet.name > b.adSet.name));
}

/**
 * The best candidate of each room: of ad sets that rule each other out and take the same room it is as good as any. Two of one
 * advertiser never stand in one break.
 */
class Rooms {
  readonly #best = new Map<string, Candidate[]>();

  /** Whether it is the best of its room so far. */
  take(candidate: Candidate): boolean {
    const { advertiser } = candidate.adSet;
    const all = this.#best.get(advertiser);
    if (all === undefined) {
      this.#best.set(advertiser, [candidate]);
      return true;
    }
    const at = all.findIndex((other) => isSameRoom(other, candidate));
    if (at === -1) all.push(candidate);
    else if (compareCandidates(all[at] as Candidate, candidate) < 0) return false;
    else all[at] = candidate;
    return true;
  }

  /** Whether an ad set that is not compiled yet would find its room taken; false where that is not sure. */
  isTaken(rows: AdSetRows, at: number, ecpm: number): boolean {
    if (!rows.isOneLength(at)) return false;
    const all = this.#best.get(rows.advertiserAt(at));
    if (all === undefined) return false;
    const [seconds, position] = [rows.secondsAt(at), rows.positionAt(at)];
    const other = all.find(({ ad, adSet }) => ad.asset.seconds === seconds && adSet.position === position);
    if (other === undefined) return false;
    const byRank = other.adSet.tier - rows.tierAt(at) || ecpm - other.ecpm;
    return byRank < 0 || (byRank === 0 && other.adSet.name < rows.objectAt(at).name);
  }

  /** Whether none took its place. */
  has(candidate: Candidate): boolean {
    return this.#best.get(candidate.adSet.advertiser)?.includes(candidate) === true;
  }
}

/** Of two candidates of one advertiser. */
function isSameRoom(one: Candidate, other: Candidate): boolean {
  return one.ad.asset.seconds === other.ad.asset.seconds && one.adSet.position === other.adSet.position;
}

/** The ads of an ad set that fit a break; or the first thing that keeps it out, where the listener is in its audience. */
export function fittingAds(
  adSet: CompiledAdSet,
  question: BreakQuestion,
  worthOf: WorthOf = worthsAt(question),
): readonly CompiledAd[] | Obstacle {
  const { placement, nowMs, adjacent } = question;
  if (nowMs < adSet.fromMs) return 'not begun';
  if (nowMs >= adSet.untilMs) return 'over';
  if (!isInTime(adSet, question)) return 'outside its day parts';
  if (!mayStandAt(adSet, placement)) return 'other placements';
  const worth = worthOf(adSet.currency, adSet.goal);
  if (worth === undefined) return 'no exchange rate';
  if (adjacent.size > 0 && adSet.separations.some((name) => adjacent.has(name))) return 'adjacent break';
  const blocked = placement.spec.blockedCategories;
  if (blocked !== undefined && adSet.categories.some((name) => blocked.includes(name))) return 'blocked category';
  const denied = categoryObstacle(adSet.categories, question.rules);
  if (denied !== undefined) return denied;
  const ecpm = ecpmOf(adSet, worth);
  const fitting: CompiledAd[] = [];
  let furthest = 0;
  for (const ad of adSet.ads) {
    const obstacle = adObstacle(adSet, ad, ecpm, question);
    if (obstacle === AD_OBSTACLES.length) fitting.push(ad);
    else furthest = Math.max(furthest, obstacle);
  }
  // The obstacle that keeps out the last of them, where each keeps out some of those that the ones before leave.
  if (fitting.length === 0) return AD_OBSTACLES[furthest] as Obstacle;
  return question.heldBack(adSet) ?? fitting;
}

/** Why an ad is in no break, in the order in which they are looked at. */
const AD_OBSTACLES = [
  'no ad of the format',
  'third party',
  'explicit',
  'too long',
  'token too long',
  'below the floor',
] as const satisfies readonly Obstacle[];

/** The place of the first obstacle of an ad; their number where there is none. */
function adObstacle(adSet: CompiledAdSet, ad: CompiledAd, ecpm: number, question: BreakQuestion): number {
  const { placement, rules } = question;
  const { asset } = ad;
  if (asset.format !== placement.spec.format) return 0;
  if (asset.vastTagUri !== undefined && !rules.permission.measurement) return 1;
  if (ad.isExplicit && (question.filtersExplicit || !rules.mayBeExplicit)) return 2;
  if (asset.seconds > question.seconds) return 3;
  if (ad.tokenBytes > question.tokenBytesMax) return 4;
  // A bid that is worth less than a millionth is worth nothing.
  return ecpm >= Math.max(1, floorOf({ adSet, ad }, placement)) ? AD_OBSTACLES.length : 5;
}

/** The one floor that applies: that of its deal, or else that of the placement. */
function floorOf(
  { adSet, ad }: Pick<Candidate, 'adSet' | 'ad'>,
  { floor: ordinary, deals }: CompiledPlacement,
): number {
  const { flat, perSecond } = (adSet.deal === undefined ? undefined : deals.get(adSet.deal)) ?? ordinary;
  return flat + perSecond * ad.asset.seconds;
}

function isInTime({ dayParts: windows, money: { zone } }: CompiledAdSet, question: BreakQuestion): boolean {
  return windows === undefined || isInDayParts({ windows, zone }, question);
}

/** One of the ads, by their weights. */
function drawAd(ads: readonly CompiledAd[], random: number): CompiledAd | undefined {
  if (ads.length === 1) return ads[0];
  let left = random * ads.reduce((sum, { weight }) => sum + weight, 0);
  return ads.find(({ weight }) => (left -= weight) < 0) ?? ads.at(-1);
}

/** The room that an ad takes. A place for images has as many seconds as slots. */
function lengthOf({ asset }: CompiledAd): number {
  return Math.max(1, asset.seconds);
}

function podCandidate({ adSet, ad, ecpm }: Candidate): PodCandidate {
  return {
    price: ecpm,
    seconds: lengthOf(ad),
    position: adSet.position,
    separations: adSet.separations,
  };
}
