import type { Halt } from './table.ts';

/** The facts that decide whether an ad set may be served at all. */
export interface HaltFacts {
  readonly adSet: { readonly paused?: boolean; readonly audience?: string };
  /** Undefined: it is not declared. */
  readonly campaign: { readonly paused?: boolean } | undefined;
  readonly advertiser: { readonly suspended?: object } | undefined;
  readonly hasAudience: (name: string) => boolean;
  /** Its ads that are not paused and have their asset. */
  readonly adCount: number;
}

/** All reasons for which an ad set is served to nobody. */
export function haltsOf({ adSet, campaign, advertiser, hasAudience, adCount }: HaltFacts): readonly Halt[] {
  return [
    ...(adSet.paused === true ? ['ad set paused' as const] : []),
    ...(campaign === undefined ? ['campaign missing' as const] : []),
    ...(campaign?.paused === true ? ['campaign paused' as const] : []),
    ...(advertiser === undefined ? ['advertiser missing' as const] : []),
    ...(advertiser?.suspended === undefined ? [] : ['advertiser suspended' as const]),
    ...(adSet.audience !== undefined && !hasAudience(adSet.audience) ? ['audience missing' as const] : []),
    ...(adCount === 0 ? ['no ad' as const] : []),
  ];
}
