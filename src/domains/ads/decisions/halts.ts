/** Why nothing of an ad set is served now, to anybody anywhere. */
export type Halt =
  | 'ad set paused'
  | 'campaign paused'
  | 'advertiser suspended'
  | 'campaign missing'
  | 'advertiser missing'
  | 'audience missing'
  | 'no ad'
  | AdHalt;

/** Why an ad is not served; of an ad set: why none of its ads is. */
export type AdHalt = 'ad paused' | 'asset missing';

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

/** All halts but a missing audience. */
export const HALTS = [
  'ad set paused',
  'campaign missing',
  'campaign paused',
  'advertiser missing',
  'advertiser suspended',
  'no ad',
  'ad paused',
  'asset missing',
] as const satisfies readonly Halt[];

/** Why an ad is not served; undefined for one that may be. */
export function adHaltOf({
  spec,
  asset,
}: {
  readonly spec: { readonly paused?: boolean };
  readonly asset: object | undefined;
}): AdHalt | undefined {
  if (spec.paused === true) return 'ad paused';
  return asset === undefined ? 'asset missing' : undefined;
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
