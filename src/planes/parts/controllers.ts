import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import { internText } from '#kernel/base/intern.ts';
import { Lifetime } from '#kernel/base/lifetime.ts';
import type { Log } from '#kernel/base/log.ts';
import { runController, type Controller } from '#kernel/controllers/controller.ts';
import { garbageCollector, isCollected } from '#kernel/controllers/garbage.ts';
import { startInformer, type Informer, type InformerOptions } from '#kernel/controllers/informer.ts';
import { onlyWhileLeading, runAsLeader, type Candidate, type ElectionTiming } from '#kernel/controllers/leader.ts';
import { controllerMetrics } from '#kernel/controllers/metrics.ts';
import { namespaceEnd } from '#kernel/controllers/namespace-end.ts';
import type { ControllerParts, LocalRuntime, ModuleController } from '#kernel/controllers/module-controller.ts';
import { eventRecorder } from '#kernel/controllers/record-event.ts';
import { waitForAbort, systemTime as time } from '#kernel/base/time.ts';
import { gauge } from '#kernel/http/metrics.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { ResourceClient, SelectOptions } from '#kernel/api/client/contract.ts';
import type { Module } from '#kernel/modules/module.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { Kind, ObjectMeta, ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';

/** Keys that one controller works on at a time. */
const WORKERS = 4;

/** Runs all controllers in this process while it holds their lease: any number of processes may be candidates. */
export function runControllers(options: {
  readonly client: ResourceClient;
  readonly kinds: KindRegistry;
  readonly modules: readonly Module[];
  readonly localRuntime?: LocalRuntime | undefined;
  /** Unlike that of every other candidate. */
  readonly identity: string;
  readonly timing?: ElectionTiming;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): Candidate {
  const { kinds, modules, localRuntime, clock, log, registry } = options;
  const metricsOf = controllerMetrics(registry);
  const candidate = runAsLeader({
    ...options,
    time,
    lease: { namespace: SYSTEM_NAMESPACE, name: 'controllers' },
    lead: async (leadership) => {
      const client = onlyWhileLeading(options.client, leadership);
      const lifetime = new Lifetime(log);
      const follow = (kind: Kind, part: Pick<InformerOptions, 'trim' | 'selected'> = {}): Informer => {
        const informer = startInformer({ client, kind, ...part, time, log });
        lifetime.keep(`informer of ${kind.plural}`, informer.stop);
        return informer;
      };
      const namespaces = follow(Namespace, METADATA);
      const recordEvent = eventRecorder({ client, component: 'garbage-collector', clock, log });
      const shared = { workers: WORKERS, time, log };
      const inform = (kind: Kind, selected: SelectOptions = {}) => follow(kind, { selected });
      const own = controllersOf(modules, { client, inform, localRuntime, clock, log });
      const controllers = own.map((one) => runOwn({ ...shared, ...one, metrics: metricsOf(one.name) }));
      const metrics = { garbage: metricsOf('garbage-collector'), namespaces: metricsOf('namespace-end') };
      /** Those that look at objects of every kind. */
      const runForAll = (informers: readonly Informer[]): readonly Controller[] => [
        runController({
          ...shared,
          ...garbageCollector({ client, kinds, informers, recordEvent }),
          name: 'garbage-collector',
          metrics: metrics.garbage,
        }),
        runController({
          ...shared,
          ...namespaceEnd({
            client,
            kinds,
            namespaces,
            contents: informers.filter(({ kind }) => kind.namespaced),
            clock,
          }),
          name: 'namespace-end',
          metrics: metrics.namespaces,
        }),
      ];
      const followed = new Map<Kind, Informer>([[Namespace, namespaces]]);
      let forAll: readonly Controller[] = [];
      /** Begins them anew with the kinds of now: what they know is in the informers, which stay. */
      const followKinds = async (): Promise<void> => {
        await Promise.all(forAll.map(({ stop }) => stop()));
        for (const [kind, informer] of followed) {
          if (kinds.has(kind)) continue;
          followed.delete(kind);
          await informer.stop();
        }
        if (leadership.signal.aborted) return;
        for (const kind of kinds.all.filter(isCollected)) {
          if (!followed.has(kind)) followed.set(kind, follow(kind, METADATA));
        }
        forAll = runForAll([...followed.values()]);
      };
      const updates = oneAfterOther(followKinds, (error) => {
        log.error({ err: error }, 'controllers: cannot follow new kinds');
      });
      updates.begin();
      const unsubscribe = kinds.subscribe(updates.begin);
      lifetime.keep('controllers', async () => {
        unsubscribe();
        await updates.finish();
        await Promise.all([...controllers, ...forAll].map(({ stop }) => stop()));
      });
      await waitForAbort(leadership.signal);
      await lifetime.close();
    },
  });
  gauge(registry, 'backline_controllers_leading', '1 while the controllers run in this process.', () =>
    Number(candidate.leading()),
  );
  return candidate;
}

function controllersOf(modules: readonly Module[], parts: ControllerParts): readonly ModuleController[] {
  return modules.flatMap(({ controllers, targets = [] }) => [
    ...(controllers?.(parts) ?? []),
    ...targets.flatMap((target) => target.follow?.(parts) ?? []),
  ]);
}

/** Runs the controller of a module, with the keys that it brings from elsewhere. */
function runOwn(options: ModuleController & Parameters<typeof runController>[0]): {
  readonly stop: () => Promise<unknown>;
} {
  const controller = runController(options);
  const end = options.begin?.(controller.add);
  return { stop: () => Promise.all([end?.(), controller.stop()]) };
}

/** Runs work as often as it is begun, one run after the other; those that are begun while one waits share it. */
function oneAfterOther(
  work: () => Promise<void>,
  onFailure: (error: unknown) => void,
): { readonly begin: () => void; readonly finish: () => Promise<void> } {
  let isDue = false;
  let last = Promise.resolve();
  return {
    begin: () => {
      if (isDue) return;
      isDue = true;
      last = last
        .then(() => {
          isDue = false;
          return work();
        })
        .catch(onFailure);
    },
    finish: () => last,
  };
}

const METADATA = { trim: onlyMetadata, selected: { metadataOnly: true } };

/** The metadata that controllers use; the rest of the objects would only fill memory. */
function onlyMetadata({ apiVersion, kind, metadata }: ResourceObject): ResourceObject {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, finalizers, ownerReferences } = metadata;
  // Spreads would make and copy an object for each field, for each object of a start.
  const kept: ObjectMeta = { name };
  if (namespace !== undefined) kept.namespace = internText(namespace);
  if (uid !== undefined) kept.uid = uid;
  if (resourceVersion !== undefined) kept.resourceVersion = resourceVersion;
  if (deletionTimestamp !== undefined) kept.deletionTimestamp = deletionTimestamp;
  if (finalizers !== undefined) kept.finalizers = finalizers;
  if (ownerReferences !== undefined) kept.ownerReferences = ownerReferences;
  return { apiVersion: internText(apiVersion), kind: internText(kind), metadata: kept };
}
