import type { AdHalt, Halt } from './table.ts';

/** The facts that decide whether an ad set may be served at all. */
export interface HaltFacts {
  readonly adSet: { readonly paused?: boolean; readonly audience?: string };
  /** Undefined: it is not declared. */
  readonly campaign: { readonly paused?: boolean } | undefined;
  readonly advertiser: { readonly suspended?: object } | undefined;
  readonly hasAudience: (name: string) => boolean;
  /** Its ads: those that can be served, or why not. */
  readonly ads: readonly (object | AdHalt)[];
}

/** All reasons for which an ad set is served to nobody. */
export function haltsOf({ adSet, campaign, advertiser, hasAudience, ads }: HaltFacts): readonly Halt[] {
  return [
    ...(adSet.paused === true ? ['ad set paused' as const] : []),
    ...(campaign === undefined ? ['campaign missing' as const] : []),
    ...(campaign?.paused === true ? ['campaign paused' as const] : []),
    ...(advertiser === undefined ? ['advertiser missing' as const] : []),
    ...(advertiser?.suspended === undefined ? [] : ['advertiser suspended' as const]),
    ...(adSet.audience !== undefined && !hasAudience(adSet.audience) ? ['audience missing' as const] : []),
    ...adHalts(ads),
  ];
}

function adHalts(ads: HaltFacts['ads']): readonly Halt[] {
  if (ads.length === 0) return ['no ad'];
  const halts = ads.filter((ad) => typeof ad === 'string');
  return halts.length < ads.length
    ? []
    : (['ad paused', 'asset missing'] as const).filter((halt) => halts.includes(halt));
}
