import { AUDIENCE } from '#kernel/audiences/language/identity.ts';
import type { StatusReader } from '#kernel/api/computed-status.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { Kind, LiveObject, ResourceObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Campaign } from '../kinds/campaign.ts';
import type { ServingStatus } from '../kinds/parts.ts';
import { adPartsOf, partsWithAd } from './ad-set-parts.ts';
import { compileAd, compileAdSet, compileParts } from './compile-ad-set.ts';
import { compilePlacements, PLACEMENT_KINDS } from './compile-placement.ts';
import { ownName, reasonText } from './reason-text.ts';
import { servingReasons, type ServingReason } from './serving-reasons.ts';
import {
  audienceSizeReason,
  latestAudiences,
  type AudienceSizeReason,
  type LatestAudiences,
} from './audience-size-reason.ts';
import type { WeekOfBreaks } from '../rules/audience-size.ts';
import type { AdHalt, Halt } from './halts.ts';
import type { AdsTable, CompiledAdSet } from './table.ts';

const STATUS_LIMITS = {
  /** Ad sets that the status of a campaign or an advertiser looks at until one is serving: 50 µs each. */
  adSetsMax: 50,
  /** Of them, those that its message names. */
  examplesMax: 3,
} as const;

type Reasons = ServingStatus['reasons'];

/** Reasons of an ad set that its owner has itself, by the index that finds the ad sets of the owner. */
const OF_OWNERS: Readonly<Record<'campaign' | 'account', readonly ServingReason['reason'][]>> = {
  campaign: ['campaign paused', 'campaign missing', 'advertiser suspended', 'advertiser missing'],
  account: ['advertiser suspended', 'advertiser missing'],
};

/** The statuses of what advertisers declare: why it is served to nobody. */
export function adStatuses(
  live: World,
  {
    placements = latestPlacements(live),
    audiences = latestAudiences(live),
    weekAt = () => undefined,
  }: {
    readonly placements?: LatestPlacements;
    readonly audiences?: LatestAudiences;
    /** The breaks of the last week over all nodes. */
    readonly weekAt?: WeekAt;
  } = {},
): readonly StatusReader[] {
  const world: StatusWorld = { live, placements, sizeReason: audienceSizeReason({ audiences, placements }, weekAt) };
  return [
    { kind: AdSet, read: (object, now) => adSetStatus(liveForm(AdSet, object), world, now.epochMilliseconds) },
    { kind: Ad, read: (object, now) => adStatus(liveForm(Ad, object), world, now.epochMilliseconds) },
    { kind: Campaign, read: (object, now) => campaignStatus(liveForm(Campaign, object), world, now.epochMilliseconds) },
    {
      kind: Advertiser,
      read: (object, now) => advertiserStatus(liveForm(Advertiser, object), world, now.epochMilliseconds),
    },
  ];
}

type LatestPlacements = () => AdsTable['placements'];

export type WeekAt = (nowMs: number) => WeekOfBreaks | undefined;

interface StatusWorld {
  readonly live: World;
  readonly placements: LatestPlacements;
  readonly sizeReason: AudienceSizeReason;
}

/** The placements as they are live: compiled anew where one of the objects is another. */
export function latestPlacements(live: World): LatestPlacements {
  let sources: readonly LiveObject[] | undefined;
  let placements: AdsTable['placements'] = new Map();
  return () => {
    const now = [...PLACEMENT_KINDS].flatMap((kind) => [...live.list(kind)]);
    if (sources?.length === now.length && now.every((object, index) => object === sources?.[index])) return placements;
    placements = compilePlacements(live);
    sources = now;
    return placements;
  };
}

function liveForm(kind: Kind, { metadata, spec }: ResourceObject): LiveObject {
  const { namespace = '', name } = metadata;
  return { kind: kind.id, namespace, name: liveName(kind, namespace, name), labels: {}, revision: '', spec };
}

function compileLive(object: LiveObject, world: StatusWorld): CompiledAdSet {
  return compileAdSet(object, world.live, hasAudienceIn(world));
}

function hasAudienceIn({ live }: StatusWorld): (name: string) => boolean {
  return (name) => live.get(AUDIENCE, name) !== undefined;
}

function statusOf(reasons: Reasons): ServingStatus {
  return { serving: reasons.length === 0, reasons: [...reasons] };
}

function adSetStatus(object: LiveObject, world: StatusWorld, nowMs: number): ServingStatus {
  const adSet = compileLive(object, world);
  const reasons = textsOf(adSet, object, world, nowMs);
  const size = world.sizeReason(adSet, nowMs);
  return { ...statusOf(reasons), reasons: [...reasons, ...(size === undefined ? [] : [size])] };
}

function textsOf(adSet: CompiledAdSet, object: LiveObject, { placements }: StatusWorld, nowMs: number): Reasons {
  const { audience } = AdSet.spec(object);
  return servingReasons(adSet, placements(), nowMs).map((one) => ({
    reason: one.reason,
    ...reasonText(one, adSet, audience),
  }));
}

/** An ad is served as its ad set would be that had no other one. */
function adStatus(object: LiveObject, world: StatusWorld, nowMs: number): ServingStatus {
  const { adSet: setName } = Ad.spec(object);
  const setObject = world.live.get(AdSet.id, liveName(AdSet, object.namespace, setName));
  if (setObject === undefined) {
    const ad = compileAd(adPartsOf(object, world.live), { adSet: setName, campaign: '', advertiser: '' });
    const text = {
      message: `There is no AdSet ${setName}.`,
      remedy: 'Declare it, or name another one in spec.adSet.',
    };
    return statusOf([...(typeof ad === 'string' ? [adReason(ad, object)] : []), { reason: 'ad set missing', ...text }]);
  }
  // Not with the other ads: a list of the ads of one ad set would cost the square of them.
  const alone = compileParts(partsWithAd(setObject, object, world.live), hasAudienceIn(world));
  const halt = alone.halts.find(isOfAd);
  const halts = alone.halts.filter((one) => !isOfAd(one));
  const reasons = textsOf({ ...alone, halts }, setObject, world, nowMs);
  return statusOf([...(halt === undefined ? [] : [adReason(halt, object)]), ...reasons]);
}

function isOfAd(halt: Halt): halt is AdHalt {
  return halt === 'ad paused' || halt === 'asset missing';
}

function adReason(reason: AdHalt, object: LiveObject): Reasons[number] {
  if (reason === 'ad paused') return { reason, message: 'It is paused.', remedy: 'Set spec.paused to false.' };
  const message = `There is no Asset ${Ad.spec(object).asset}.`;
  return { reason, message, remedy: 'Declare it, or name another one in spec.asset.' };
}

function campaignStatus(object: LiveObject, world: StatusWorld, nowMs: number): ServingStatus {
  const { account, paused } = Campaign.spec(object);
  const advertiser = world.live.get(Advertiser.id, liveName(Advertiser, object.namespace, account));
  const own: Reasons = [
    ...(paused === true
      ? [{ reason: 'campaign paused', message: 'It is paused.', remedy: 'Set spec.paused to false.' }]
      : []),
    ...(advertiser === undefined
      ? [{ reason: 'advertiser missing', message: `There is no Advertiser ${account}.`, remedy: 'Declare it.' }]
      : suspendedReasons(advertiser)),
  ];
  return ownerStatus(own, { object, index: 'campaign' }, world, nowMs);
}

function advertiserStatus(object: LiveObject, world: StatusWorld, nowMs: number): ServingStatus {
  return ownerStatus(suspendedReasons(object), { object, index: 'account' }, world, nowMs);
}

function suspendedReasons(advertiser: LiveObject): Reasons {
  if (Advertiser.spec(advertiser).suspended === undefined) return [];
  const account = ownName(advertiser.name);
  const message = `Advertiser ${account} is suspended.`;
  const remedy = `Resolve what spec.suspended of Advertiser ${account} says; then remove it there.`;
  return [{ reason: 'advertiser suspended', message, remedy }];
}

/** A campaign or an advertiser is serving where one of its ad sets is. */
function ownerStatus(
  own: Reasons,
  { object, index }: { readonly object: LiveObject; readonly index: 'campaign' | 'account' },
  world: StatusWorld,
  nowMs: number,
): ServingStatus {
  if (own.length > 0) return statusOf(own);
  const name = ownName(object.name);
  const all = world.live.find(AdSet.id, index, name).filter(({ namespace }) => namespace === object.namespace);
  if (all.length === 0) {
    const remedy = `Declare an AdSet that names it in spec.${index}.`;
    return statusOf([{ reason: 'no ad set', message: 'It has no AdSet.', remedy }]);
  }
  const placements = world.placements();
  const examples: string[] = [];
  for (const adSet of all.slice(0, STATUS_LIMITS.adSetsMax)) {
    const reasons = servingReasons(compileLive(adSet, world), placements, nowMs).filter(
      ({ reason }) => !OF_OWNERS[index].includes(reason),
    );
    if (reasons.length === 0) return statusOf([]);
    const texts = reasons.map(({ reason }) => reason).join(', ');
    if (examples.length < STATUS_LIMITS.examplesMax) examples.push(`${ownName(adSet.name)} (${texts})`);
  }
  const isAll = all.length <= STATUS_LIMITS.adSetsMax;
  const which = isAll ? 'its' : `the first ${STATUS_LIMITS.adSetsMax} of its ${all.length}`;
  const message = `None of ${which} ad sets is serving: ${examples.join('; ')}${all.length > examples.length ? '; …' : ''}.`;
  const remedy = `Look at the reasons of each: kubectl get adsets --field-selector spec.${index}=${name}.`;
  const reasons = [{ reason: 'no ad set serving', message, remedy }];
  return isAll ? statusOf(reasons) : { reasons };
}
