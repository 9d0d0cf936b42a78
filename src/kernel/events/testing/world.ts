import { contentHash } from '#kernel/base/ids.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { DATASET, EVENT_TYPE, METRIC } from '../kinds/identity.ts';

/** A world with these live specs, by name. */
export function worldOf(specs: {
  readonly eventTypes?: Readonly<Record<string, object>>;
  readonly metrics?: Readonly<Record<string, object>>;
  readonly datasets?: Readonly<Record<string, object>>;
}): World {
  const live = (kind: string, named: Readonly<Record<string, object>> = {}) =>
    [kind, new Map(Object.entries(named).map(([name, spec]) => [name, liveObject(kind, name, spec)]))] as const;
  const byKind = new Map([
    live(EVENT_TYPE, specs.eventTypes),
    live(METRIC, specs.metrics),
    live(DATASET, specs.datasets),
  ]);
  return {
    get: (kind, name) => byKind.get(kind)?.get(name),
    list: (kind) => byKind.get(kind)?.values() ?? [],
    find: () => [],
  };
}

function liveObject(kind: string, name: string, spec: object): LiveObject {
  return { kind, namespace: 'test', name, labels: {}, spec, revision: contentHash(spec) };
}
