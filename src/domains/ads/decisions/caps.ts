import { contentHash } from '#kernel/base/ids.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { AdSet, type AdSetSpec } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Campaign } from '../kinds/campaign.ts';
import type { FrequencyCaps } from '../kinds/parts.ts';
import { windowMsOf, type OwnerCaps } from '../rules/frequency.ts';

/** 48 bits: of 100,000 owners two share a number once in 50,000 installations. */
const OWNER_DIGITS = 12;

interface CapOwner {
  readonly frequencyCaps?: FrequencyCaps;
}

/** The caps of an ad set: its own, and those of its campaign and advertiser. */
export function capsOf(
  { name, namespace }: LiveObject,
  spec: AdSetSpec,
  owners: { readonly campaign: CapOwner | undefined; readonly advertiser: CapOwner | undefined },
): readonly OwnerCaps[] {
  return [
    ...ownerCaps(AdSet.id, name, spec),
    ...ownerCaps(Campaign.id, liveName(Campaign, namespace, spec.campaign), owners.campaign),
    ...ownerCaps(Advertiser.id, liveName(Advertiser, namespace, spec.account), owners.advertiser),
  ];
}

function ownerCaps(kind: string, name: string, spec: CapOwner | undefined): readonly OwnerCaps[] {
  const { frequencyCaps = [] } = spec ?? {};
  const caps = frequencyCaps.flatMap(({ count, per, scope }) => {
    const windowMs = windowMsOf(per);
    return windowMs === undefined ? [] : [{ count, windowMs, scope }];
  });
  return caps.length === 0 ? [] : [{ owner: ownerNumber(kind, name), caps }];
}

/** Whether `capsOf` an ad set are any. */
export function hasCaps(owners: readonly (CapOwner | undefined)[]): boolean {
  return owners.some((owner) => owner?.frequencyCaps?.some(({ per }) => windowMsOf(per) !== undefined));
}

/** The number of an object in histories: short, and the same for good. */
export function ownerNumber(kind: string, name: string): number {
  return Number.parseInt(contentHash([kind, name]).slice(0, OWNER_DIGITS), 16);
}
