import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { Advisor } from '#kernel/store/rules/advised-store.ts';
import { Placement } from './kinds/placement.ts';

/** Features are of another domain, which knows them by this name. */
const FEATURE = 'products.backline.dev/Feature';

/** Advises authors of a placement whose ad-free feature is not live: nobody gets ads there. */
export function placementAdvisor(live: World): Advisor {
  return {
    kind: Placement,
    advise: (object, written) => {
      const { adFreeFeature } = Placement.spec(object);
      const isWritten = written.some(({ kind, name }) => kind.id === FEATURE && name === adFreeFeature);
      if (live.get(FEATURE, adFreeFeature) !== undefined || isWritten) return [];
      const names = Array.from(live.list(FEATURE), ({ name }) => name);
      return [
        `No Feature "${adFreeFeature}" is live${didYouMean(nearSpellings(adFreeFeature, names))}: who is without ads is unknown, so nobody gets any here.`,
      ];
    },
  };
}
