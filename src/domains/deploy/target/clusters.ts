import { Type } from 'typebox';
import { Head, headName } from '#kernel/kinds/builtin/head.ts';
import { LabelSelectorSchema } from '#kernel/kinds/schema/label-selector.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import {
  defineTarget,
  type PartProblem,
  type PlaceObservation,
  type StagePart,
} from '#kernel/releases/kinds/target.ts';
import type { Store } from '#kernel/store/contract.ts';
import { Cluster } from '../kinds/cluster.ts';
import { Component } from '../kinds/component.ts';
import { CLUSTERS } from '../kinds/identity.ts';
import { Instance } from '../kinds/instance.ts';
import { countRequests } from './count-requests.ts';
import { liveIn } from './live-component.ts';
import { weightsFor, type ClustersPart, type ClusterWeights, type LabelledCluster } from '../rules/cluster-weights.ts';
import { textOfWanted, wantedIn, type LiveComponent } from '../rules/wanted-tracks.ts';

/** A cluster that was not reached for so long is unknown. */
const STALE_MS = 30_000;
const CONCURRENT_MAX = 1_000;
const ALL = 100;

type Reader = Pick<Store<never>, 'get' | 'list'>;

const Where = Type.Object(
  {
    select: Type.Optional({ ...LabelSelectorSchema, description: 'Clusters by their labels; absent: all.' }),
    weight: Type.Integer({
      minimum: 1,
      maximum: ALL,
      default: ALL,
      description: 'Per cent of the requests of each cluster; of a worker, of its replicas.',
    }),
    concurrent: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: CONCURRENT_MAX,
        description: 'Clusters that change at a time; absent: all. One that is unknown is not waited for.',
      }),
    ),
  },
  { description: 'The clusters that get it, and how much of each, besides those of earlier stages.' },
);

/** Clusters as a target: Heads say which revision each cluster should have, the controllers bring it there. */
export const clusters = defineTarget<ClustersPart>({
  name: CLUSTERS,
  carries: [Component.id],
  where: Where,
  whole: { weight: ALL },
  example: { select: { matchLabels: { ring: 'first' } }, weight: 5 },
  isWhole: ({ select, weight }) => weight === ALL && isForAll(select),
  check: weightProblems,
  split: ({ weight, select }) => ({ unit: 'request', share: weight / ALL, scope: JSON.stringify(select ?? {}) }),
  countRequests,
  open: ({ store, kinds, clock }) => ({
    aim: (_release, parts, before) => weightsFor(parts, clustersIn(store), before as ClusterWeights | undefined),
    plan: async ({ objects }) => ({
      problems: [...store.list(Cluster)].length === 0 ? [NO_CLUSTERS] : [],
      actions: objects.map(({ kind, name }) => ({ kind, name, undo: 'exact' })),
    }),
    observe: ({ objects }) => {
      const nowMs = clock().epochMilliseconds;
      const live = objects.map((item) =>
        liveIn(store.get(Head, '', headName(kinds.byId(item.kind), item.name))?.object(), item),
      );
      return [...store.list(Cluster)].flatMap((entry): PlaceObservation[] => {
        const place = observePlace(store, entry.object(), live);
        return place === undefined ? [] : [withAge(place, entry.object(), nowMs)];
      });
    },
  }),
});

const NO_CLUSTERS = 'There is no Cluster to run it in: declare one, such as `spec: {local: {}}`.';

/** A stage that reaches nothing beyond an earlier one with the same clusters. */
function weightProblems(parts: readonly StagePart<ClustersPart>[]): readonly PartProblem[] {
  return parts.flatMap(({ stage, name, where }, index): PartProblem[] => {
    const same = (one: ClustersPart): boolean =>
      isForAll(one.select) || JSON.stringify(one.select) === JSON.stringify(where.select);
    const earlier = parts.slice(0, index).find((one) => same(one.where) && one.where.weight >= where.weight);
    if (earlier === undefined) return [];
    const detail = `Stage "${name}" reaches no more of its clusters than "${earlier.name}" (${earlier.where.weight} %). A later stage must reach more.`;
    return [{ stage, path: ['weight'], reason: 'FieldValueInvalid', detail }];
  });
}

function isForAll(select: ClustersPart['select']): boolean {
  return Object.keys(select?.matchLabels ?? {}).length === 0 && (select?.matchExpressions ?? []).length === 0;
}

function clustersIn(store: Reader): readonly LabelledCluster[] {
  return Array.from(store.list(Cluster), ({ name, labels }) => ({ name, labels: labels ?? {} }));
}

/** A cluster with some Components; undefined where it has nothing to do with them. */
function observePlace(
  store: Reader,
  cluster: ResourceObject,
  live: readonly LiveComponent[],
): PlaceObservation | undefined {
  const { name, labels = {} } = cluster.metadata;
  const parts = live.flatMap((one) => {
    const wanted = textOfWanted(wantedIn(one, { name, labels }));
    const { namespace = '', name: own } = readLiveName(Component, one.name);
    const instance = store.get(Instance, namespace, `${own}.${name}`)?.object();
    const status = instance === undefined ? undefined : Instance.status(instance);
    if (wanted === 'nothing' && status === undefined) return [];
    const observed = status?.observed ?? 'nothing';
    const state = wanted !== observed && status?.state === 'healthy' ? 'progressing' : (status?.state ?? 'progressing');
    return [{ wanted, observed, state, message: status?.message }] as const;
  });
  const worst = parts.find(({ state }) => state === 'failed') ?? parts.find(({ state }) => state === 'progressing');
  const [first] = parts;
  if (first === undefined) return undefined;
  const message = worst?.message;
  return {
    name,
    wanted: parts.map(({ wanted }) => wanted).join('; '),
    observed: parts.map(({ observed }) => observed).join('; '),
    state: (worst ?? first).state,
    ...(message === undefined ? {} : { message }),
  };
}

/** Unknown where the cluster was not reached for a while, or never. */
function withAge(place: PlaceObservation, cluster: ResourceObject, nowMs: number): PlaceObservation {
  const { seenAt, message } = Cluster.status(cluster) ?? {};
  if (seenAt === undefined) return { ...place, state: 'unknown', message: message ?? 'it was never reached' };
  const observedAtMs = Temporal.Instant.from(seenAt).epochMilliseconds;
  if (nowMs - observedAtMs <= STALE_MS) return { ...place, observedAtMs };
  return { ...place, observedAtMs, state: 'unknown', message: message ?? `it was last reached at ${seenAt}` };
}
