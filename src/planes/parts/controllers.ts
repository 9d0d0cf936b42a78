import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import { interned } from '#kernel/base/interned.ts';
import { Lifetime } from '#kernel/base/lifetime.ts';
import type { Log } from '#kernel/base/log.ts';
import { runController } from '#kernel/controllers/controller.ts';
import { garbageCollector, isCollected } from '#kernel/controllers/garbage.ts';
import { startInformer, type Informer } from '#kernel/controllers/informer.ts';
import { onlyWhileLeading, runAsLeader, type Candidate, type ElectionTiming } from '#kernel/controllers/leader.ts';
import { controllerMetrics } from '#kernel/controllers/metrics.ts';
import { namespaceEnd } from '#kernel/controllers/namespace-end.ts';
import { eventRecorder } from '#kernel/controllers/record-event.ts';
import { aborted, systemTime as time } from '#kernel/base/time.ts';
import { gauge } from '#kernel/http/metrics.ts';
import { Namespace } from '#kernel/resources/builtin/core.ts';
import type { ResourceClient } from '#kernel/resources/client/contract.ts';
import type { Module } from '#kernel/modules/module.ts';
import { SYSTEM_NAMESPACE } from '#kernel/resources/deletion.ts';
import type { Kind, ResourceObject } from '#kernel/resources/kind.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';

/** Keys that one controller works on at a time. */
const WORKERS = 4;

/** Runs all controllers in this process while it holds their lease: any number of processes may be candidates. */
export function runControllers(options: {
  readonly client: ResourceClient;
  readonly kinds: KindRegistry;
  readonly modules: readonly Module[];
  /** Unlike that of every other candidate. */
  readonly identity: string;
  readonly timing?: ElectionTiming;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): Candidate {
  const { kinds, modules, clock, log, registry } = options;
  const metricsOf = controllerMetrics(registry);
  const candidate = runAsLeader({
    ...options,
    time,
    lease: { namespace: SYSTEM_NAMESPACE, name: 'controllers' },
    lead: async (leadership) => {
      const client = onlyWhileLeading(options.client, leadership);
      const lifetime = new Lifetime(log);
      const follow = (kind: Kind, trim = (object: ResourceObject) => object): Informer => {
        const informer = startInformer({ client, kind, trim, time, log });
        lifetime.keep(`informer of ${kind.plural}`, informer.stop);
        return informer;
      };
      const informers = kinds.all.filter(isCollected).map((kind) => follow(kind, onlyMetadata));
      const namespaces = informers.find(({ kind }) => kind === Namespace);
      if (namespaces === undefined) throw new Error('namespaces are not collected');
      const contents = informers.filter(({ kind }) => kind.namespaced);
      const recordEvent = eventRecorder({ client, component: 'garbage-collector', clock, log });
      const shared = { workers: WORKERS, time, log };
      const parts = { client, inform: (kind: Kind) => follow(kind), clock };
      const own = modules.flatMap(({ controllers, targets = [] }) => [
        ...(controllers?.(parts) ?? []),
        ...targets.flatMap((target) => target.follow?.(parts) ?? []),
      ]);
      const controllers = [
        ...own.map((one) => runController({ ...shared, ...one, metrics: metricsOf(one.name) })),
        runController({
          ...shared,
          ...garbageCollector({ client, kinds, informers, recordEvent }),
          name: 'garbage-collector',
          metrics: metricsOf('garbage-collector'),
        }),
        runController({
          ...shared,
          ...namespaceEnd({ client, kinds, namespaces, contents, clock }),
          name: 'namespace-end',
          metrics: metricsOf('namespace-end'),
        }),
      ];
      lifetime.keep('controllers', () => Promise.all(controllers.map(({ stop }) => stop())));
      await aborted(leadership.signal);
      await lifetime.close();
    },
  });
  gauge(registry, 'backline_controllers_leading', '1 while the controllers run in this process.', () =>
    Number(candidate.leading()),
  );
  return candidate;
}

/** What the controllers go by; the rest of the objects would only fill memory. */
function onlyMetadata({ apiVersion, kind, metadata }: ResourceObject): ResourceObject {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, finalizers, ownerReferences } = metadata;
  return {
    apiVersion: interned(apiVersion),
    kind: interned(kind),
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace: interned(namespace) }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
  };
}
