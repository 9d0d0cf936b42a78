import { compileAudiences, audienceKindIds, type AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { ServingStatus } from '../kinds/parts.ts';
import { AUDIENCE_LIMITS, weeklyBreaksAtMost, type WeekOfBreaks } from '../rules/audience-size.ts';
import { mayStandAt } from './places.ts';
import type { AdsTable, CompiledAdSet } from './table.ts';

/** Rules whose breaks are remembered until the week or an audience is another: many ad sets have the same. */
const REMEMBERED_MAX = 10_000;

export const TOO_FEW_LISTENERS = 'too few listeners';

export type LatestAudiences = () => AudienceTable;

interface SizeSources {
  readonly audiences: LatestAudiences;
  readonly placements: () => AdsTable['placements'];
}

type Reason = ServingStatus['reasons'][number];

/** Why an ad set hardly delivers although it is served: undefined where its listeners have enough breaks, or that is unknown. */
export type AudienceSizeReason = (adSet: CompiledAdSet, nowMs: number) => Reason | undefined;

export function audienceSizeReason(
  { audiences: audiencesNow, placements: placementsNow }: SizeSources,
  weekAt: (nowMs: number) => WeekOfBreaks | undefined,
): AudienceSizeReason {
  let of: { readonly week: WeekOfBreaks; readonly audiences: AudienceTable | undefined } | undefined;
  const remembered = new Map<string, number | undefined>();
  return (adSet, nowMs) => {
    const week = weekAt(nowMs);
    if (week === undefined) return undefined;
    const { rule, placements, namespace } = adSet;
    const audiences = rule === undefined ? of?.audiences : audiencesNow();
    if (of?.week !== week || of.audiences !== audiences || remembered.size >= REMEMBERED_MAX) remembered.clear();
    of = { week, audiences };
    const key = JSON.stringify([rule, placements === undefined ? namespace : [...placements]]);
    if (!remembered.has(key)) {
      const matches = rule === undefined ? undefined : audiences?.compile(rule);
      const own = placements === undefined ? weekOf(adSet, week, placementsNow()) : week;
      remembered.set(key, weeklyBreaksAtMost(own, { placements, matches }));
    }
    const breaks = remembered.get(key);
    return breaks === undefined || breaks >= AUDIENCE_LIMITS.weeklyBreaksMin ? undefined : reasonOf(Math.ceil(breaks));
  };
}

/** The breaks at placements where it may be served. */
function weekOf(adSet: CompiledAdSet, week: WeekOfBreaks, placements: AdsTable['placements']): WeekOfBreaks {
  const days = week.days.filter(({ placement: name }) => {
    const placement = placements.get(name);
    return placement !== undefined && mayStandAt(adSet, placement);
  });
  return { ...week, days };
}

function reasonOf(breaks: number): Reason {
  return {
    reason: TOO_FEW_LISTENERS,
    message: `Its listeners have at most ${breaks} breaks a week at its placements, by those of the last week: fewer than ${AUDIENCE_LIMITS.weeklyBreaksMin}.`,
    remedy: 'Widen spec.audience or spec.when of the AdSet, or name more placements in spec.placements.',
  };
}

/** The audiences as they are live: compiled anew where one of the objects is another. */
export function latestAudiences(live: World): LatestAudiences {
  let sources: readonly LiveObject[] = [];
  let audiences: AudienceTable | undefined;
  return () => {
    const now = [...audienceKindIds].flatMap((kind) => [...live.list(kind)]);
    if (audiences === undefined || sources.length !== now.length || now.some((one, at) => one !== sources[at])) {
      audiences = compileAudiences(live);
      sources = now;
    }
    return audiences;
  };
}
