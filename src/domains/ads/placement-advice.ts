import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { Advisor } from '#kernel/store/rules/advised-store.ts';
import { AdPolicy } from './kinds/ad-policy.ts';
import { Placement, type PlacementSpec } from './kinds/placement.ts';

/** Features are of another domain, which knows them by this name. */
const FEATURE = 'products.backline.dev/Feature';

/** Advises authors of a placement where nobody gets ads, or no reward, as what it names is not live or says nothing of it. */
export function placementAdvisor(live: World): Advisor {
  return {
    kind: Placement,
    advise: (object, written) => {
      const spec = Placement.spec(object);
      const isWritten = (of: string, wanted: string): boolean =>
        written.some(({ kind, name }) => kind.id === of && name === wanted);
      return [
        ...(isWritten(FEATURE, spec.adFreeFeature) ? [] : featureAdvice(live, spec)),
        ...(isWritten(AdPolicy.id, spec.policy) ? [] : rewardAdvice(live, spec)),
      ];
    },
  };
}

function featureAdvice(live: World, { adFreeFeature }: PlacementSpec): readonly string[] {
  if (live.get(FEATURE, adFreeFeature) !== undefined) return [];
  const names = Array.from(live.list(FEATURE), ({ name }) => name);
  return [
    `No Feature "${adFreeFeature}" is live${didYouMean(nearSpellings(adFreeFeature, names))}: who is without ads is unknown, so nobody gets any here.`,
  ];
}

function rewardAdvice(live: World, { policy, rewarded }: PlacementSpec): readonly string[] {
  const declared = live.get(AdPolicy.id, policy);
  if (rewarded !== true || declared === undefined) return [];
  if (AdPolicy.spec(declared).load?.rewardedMinutes !== undefined) return [];
  return [`AdPolicy "${policy}" has no load.rewardedMinutes: who plays the ad here to the end gets nothing for it.`];
}
