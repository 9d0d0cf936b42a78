import { audienceKindIds } from '#kernel/audiences/compile-audience.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import type { StatusReader } from '#kernel/api/computed-status.ts';
import type { Clock } from '#kernel/base/clock.ts';
import type { Kind, ResourceObject, World } from '#kernel/kinds/kind.ts';
import { liveName, liveNameOf } from '#kernel/kinds/live-name.ts';
import { kindRegistry, type KindRegistry } from '#kernel/kinds/registry.ts';
import { wantedLive } from '#kernel/releases/live.ts';
import { Overlay } from '#kernel/snapshots/live-objects.ts';
import type { Entry } from '#kernel/store/contract.ts';
import type { Advisor, DraftEntries, Objection } from '#kernel/store/rules/advised-store.ts';
import { adStatuses, latestPlacements, type WeekAt } from './decisions/ad-statuses.ts';
import { latestAudiences, TOO_FEW_LISTENERS } from './decisions/audience-size-reason.ts';
import { PLACEMENT_KINDS } from './decisions/compile-placement.ts';
import { Ad } from './kinds/ad.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Asset } from './kinds/asset.ts';
import type { ServingStatus } from './kinds/parts.ts';

/** Reasons that no object which is yet to be declared would end: the author has to change something. */
const WARNED: ReadonlySet<string> = new Set([
  'placement missing',
  'audience missing',
  'no exchange rate',
  'blocked category',
  'no ad of the format',
  'explicit',
  'too long',
  'below the floor',
  TOO_FEW_LISTENERS,
]);

/** Reasons that refuse a draft: besides those above all that another object of the draft would end. */
const REFUSED: ReadonlySet<string> = new Set([
  ...WARNED,
  'no ad',
  'asset missing',
  'ad set missing',
  'campaign missing',
  'advertiser missing',
  'no placement',
  'policy missing',
]);

/** Those of an ad itself: the others are reported of its ad set, where the draft changes that. */
const OF_ADS: ReadonlySet<string> = new Set([
  'asset missing',
  'ad set missing',
  'no ad of the format',
  'explicit',
  'too long',
]);

/**
 * Advises authors of ad sets and ads that nobody would get as things are, and of companions that are not shown. Whatever is
 * written together counts as live.
 */
export function servingAdvisors(
  kinds: readonly Kind[],
  live: World,
  clock: Clock,
  weekAt: WeekAt = () => undefined,
): readonly Advisor[] {
  const worldWith = writtenWorlds({ live, kinds: kindRegistry([...audienceKinds, ...kinds]), weekAt });
  const reasonsOf = (kind: Kind, object: ResourceObject, { readers }: WrittenWorld): ServingStatus['reasons'] => {
    const status = readers.find((one) => one.kind === kind)?.read(object, clock()) as ServingStatus | undefined;
    return status?.reasons ?? [];
  };
  const statusAdvice = (kind: Kind, object: ResourceObject, known: WrittenWorld): readonly string[] =>
    reasonsOf(kind, object, known)
      .filter(({ reason }) => WARNED.has(reason))
      .map((one) => `${adviceOf(one)} ${one.remedy}`);
  const objections = (kind: Kind, object: ResourceObject, known: WrittenWorld, of = REFUSED): readonly Objection[] =>
    reasonsOf(kind, object, known)
      .filter(({ reason }) => of.has(reason))
      .map((one) => ({ message: adviceOf(one), remedy: one.remedy }));
  // Whatever is wrong with it, a draft may take it off the air.
  const isStop = (kind: typeof AdSet | typeof Ad, object: ResourceObject): boolean => {
    const { namespace = '', name } = object.metadata;
    const before = live.get(kind.id, liveName(kind, namespace, name));
    return before !== undefined && kind.spec(before).paused !== true && kind.spec(object).paused === true;
  };
  return [
    {
      kind: AdSet,
      advise: (object, written) => statusAdvice(AdSet, object, worldWith(written)),
      refuse: (object, { written }) => (isStop(AdSet, object) ? [] : objections(AdSet, object, worldWith(written))),
    },
    {
      kind: Ad,
      advise: (object, written) => {
        const known = worldWith(written);
        return [...statusAdvice(Ad, object, known), ...companionAdvice(object, known.world)];
      },
      refuse: (object, draft) => {
        if (isStop(Ad, object)) return [];
        const known = worldWith(draft.written);
        const companion = companionAdvice(object, known.world).map((message) => ({ message }));
        const of = isSetAmong(object, draft.changed) ? OF_ADS : REFUSED;
        return [...objections(Ad, object, known, of), ...companion];
      },
    },
  ];
}

function adviceOf({ reason, message }: ServingStatus['reasons'][number]): string {
  return `${reason === TOO_FEW_LISTENERS ? 'Few get it' : 'Nobody gets it'}: ${message}`;
}

function isSetAmong(ad: ResourceObject, changed: DraftEntries['changed']): boolean {
  const { adSet } = Ad.spec(ad);
  return changed.some(
    ({ kind, namespace, name }) => kind.id === AdSet.id && name === adSet && namespace === ad.metadata.namespace,
  );
}

interface WrittenWorld {
  readonly world: World;
  readonly readers: readonly StatusReader[];
}

/** The worlds with the objects of writes, each made once: about the objects of several writes advisors are asked in turns. */
function writtenWorlds({
  live,
  kinds,
  weekAt,
}: {
  readonly live: World;
  readonly kinds: KindRegistry;
  readonly weekAt: WeekAt;
}): (written: readonly Entry[]) => WrittenWorld {
  const placements = latestPlacements(live);
  const audiences = latestAudiences(live);
  const known = new WeakMap<readonly Entry[], WrittenWorld>();
  return (written) => {
    const made = known.get(written);
    if (made !== undefined) return made;
    const world = new Overlay(live, kinds);
    for (const entry of written) {
      if (kinds.isKnown(entry.kind.id)) world.put(entry.kind.id, liveNameOf(entry), wantedLive(entry));
    }
    // Nearly all writes change no placement: those of the live world are compiled already.
    const isAudience = written.some(({ kind }) => audienceKindIds.has(kind.id));
    const isOther = written.some(({ kind }) => PLACEMENT_KINDS.has(kind.id));
    const next = {
      world,
      readers: adStatuses(world, { ...(isOther ? {} : { placements }), ...(isAudience ? {} : { audiences }), weekAt }),
    };
    known.set(written, next);
    return next;
  };
}

function companionAdvice(object: ResourceObject, world: World): readonly string[] {
  const { companion } = Ad.spec(object);
  if (companion === undefined) return [];
  const asset = world.get(Asset.id, liveName(Asset, object.metadata.namespace ?? '', companion));
  const format = asset === undefined ? 'image' : Asset.spec(asset).format;
  return format === 'image'
    ? []
    : [`spec.companion: Asset ${companion} is ${format}, and a companion is an image: it is not shown.`];
}
