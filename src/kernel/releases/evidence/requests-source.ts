import { NOTHING, sumOf, type Counts } from '#kernel/statistics/interval.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { Release } from '../kinds/release.ts';
import { slowerThan, type RequestCounts } from '../kinds/request-counts.ts';
import type { CountRequests } from '../kinds/target.ts';
import type { Measurement, MeasureSource, MetricTraits } from './measure-source.ts';

const LIMITS = {
  /** The windows that proxies count in. */
  grainMs: 1_000,
  /** A request counts when it ends. */
  lagMs: 1_000,
} as const;

/** Rates below the harmless ones let a release pass to which nearly nothing happens. */
const HARMLESS = { failed: 0.0005, slow: 0.01 } as const;

/** Requests that the places of targets counted, by track. */
export function requestsSource(parts: {
  readonly store: Pick<Store<never>, 'get'>;
  readonly counters: readonly CountRequests[];
  /** Whether requests to objects of a kind (`Kind.id`) are counted. */
  readonly isCounted: (kind: string) => boolean;
}): MeasureSource {
  const { store, counters, isCounted } = parts;
  return {
    whyAlone: ({ objects }) =>
      objects.some(({ kind, from, to }) => isCounted(kind) && from !== undefined && to !== undefined)
        ? undefined
        : 'It replaces no revision that gets requests: there is nothing to compare.',
    grainMs: LIMITS.grainMs,
    lagMs: LIMITS.lagMs,
    completeUntil: (nowMs) => Promise.resolve(nowMs - LIMITS.lagMs),
    measure: async ({ release, guardrail, fromMs, toMs }): Promise<Measurement> => {
      const object = store.get(Release, '', release)?.object();
      const { objects } = object === undefined ? { objects: [] } : Release.spec(object);
      const counted = await Promise.all(counters.map((count) => count({ name: release, objects }, { fromMs, toMs })));
      const places = counted.flat();
      // Where the candidate gets nothing there is nothing to compare: other places have other rates.
      const compared = places.filter(({ candidate }) => candidate.requests > 0);
      if (compared.length === 0) return { at: 'empty' };
      const counts = (one: RequestCounts): Counts => ({ units: one.requests, bad: badOf(guardrail, one) });
      const candidates = compared.map(({ place, candidate }) => [place, counts(candidate)] as const);
      return {
        at: 'measured',
        measured: traitsOf(guardrail),
        candidate: candidates.map(([, one]) => one).reduce(sumOf, NOTHING),
        stable: compared.map(({ stable }) => counts(stable)).reduce(sumOf, NOTHING),
        sources: Object.fromEntries(candidates),
      };
    },
  };
}

function badOf({ slowMs }: GuardrailSpec, one: RequestCounts): number {
  return slowMs === undefined ? one.errors : slowerThan(one, slowMs);
}

function traitsOf({ requests = 'failed', slowMs }: GuardrailSpec): MetricTraits {
  return {
    called: requests === 'failed' ? 'Failed requests' : `Requests over ${slowMs ?? 0} ms`,
    better: 'fewer',
    of: 'events',
    harmlessRate: HARMLESS[requests],
    // Weights differ by cluster and headers keep users on a track: no share is expected.
    isSplit: false,
  };
}
