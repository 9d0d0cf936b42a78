import { isDeepStrictEqual } from 'node:util';
import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import { pause, type Time } from '#kernel/base/time.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { definitionWrites } from './definition-writes.ts';
import type { FollowedDefinitions } from './follow-definitions.ts';
import { CLEANUP, CustomResourceDefinition } from './kinds/custom-resource-definition.ts';
import type { DefinitionStatus } from './kinds/definition-spec.ts';
import { statusFor } from './rules/accept-names.ts';
import { digestOf, isEstablished, type DefinitionDigest } from './rules/digest.ts';

/**
 * Keeps the statuses of definitions, and lets a deleted one go when its objects are gone. Runs in the process that writes, so
 * that two definitions never get one name. Returns the way to stop it.
 */
export function keepDefinitions(parts: {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly followed: FollowedDefinitions;
  readonly clock: Clock;
  readonly time: Time;
  readonly log: Log;
}): { readonly stop: () => Promise<void> } {
  const { store, kinds, followed, clock, time, log } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  const writes = definitionWrites(store);
  const outage = new Outage(log, 'definitions: cannot keep statuses');
  /** Groups of which something has changed: names conflict within a group. */
  const due = new Set(Array.from(store.list(CustomResourceDefinition), ({ name }) => groupOf(name)));
  /** Groups of kinds whose objects are being deleted, by kind: their changes are waited for. */
  const ending = new Map<string, string>();
  let wake = (): void => {};
  const unsubscribe = store.subscribe((changes) => {
    for (const { entry } of changes) {
      const group = entry.kind === CustomResourceDefinition ? groupOf(entry.name) : ending.get(entry.kind.id);
      if (group !== undefined) due.add(group);
    }
    if (due.size > 0) wake();
  });
  const running = run();
  return {
    stop: async () => {
      unsubscribe();
      stopping.abort();
      wake();
      await running;
    },
  };

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const [group] = due;
      if (group === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      due.delete(group);
      try {
        await keepGroup(group);
        outage.noteRecovery();
      } catch (error) {
        due.add(group);
        await pause(time, outage.noteFailure(error), signal);
      }
    }
  }

  async function keepGroup(group: string): Promise<void> {
    const entries = Array.from(store.list(CustomResourceDefinition)).filter(({ name }) => groupOf(name) === group);
    // Definitions are large, and each is parsed once.
    await inTurns(eachOf(entries, digestOf));
    const names = entries
      .map(digestOf)
      .toSorted(byAge)
      .map(({ name }) => name);
    for (const name of names) {
      // As they are now: those before it may have got their names a moment ago.
      const all = names.flatMap((one) => store.get(CustomResourceDefinition, '', one) ?? []).map(digestOf);
      const digest = all.find((one) => one.name === name);
      if (digest === undefined || signal.aborted) continue;
      const status = statusFor(digest, all, kubernetesTime(clock()));
      if (!isDeepStrictEqual(status, digest.status)) await writeStatus(digest, status);
      if (digest.isTerminating && digest.finalizers.includes(CLEANUP)) await clear(digest);
    }
  }

  async function writeStatus(digest: DefinitionDigest, status: DefinitionStatus): Promise<void> {
    const isAccepted = status.conditions?.some(({ type, status: is }) => type === 'NamesAccepted' && is === 'True');
    // It is served before a client can read that it is established, in this process first of all.
    if (isAccepted === true && !isEstablished(digest)) await followed.serve(digest.name);
    await writes.status(digest.name, status);
  }

  /** Deletes the objects of a definition that goes, and lets it go once there is none. */
  async function clear({ name, group, names, finalizers }: DefinitionDigest): Promise<void> {
    await followed.settle();
    const kindId = `${group}/${names.kind}`;
    const kind = kinds.isKnown(kindId) ? kinds.byId(kindId) : undefined;
    if (kind?.definition?.name === name && store.count(kind) > 0) {
      ending.set(kind.id, group);
      await writes.deleteObjects(kind, signal);
      if (store.count(kind) > 0) return;
    }
    ending.delete(kindId);
    await writes.release(name, finalizers);
  }
}

/** The group in the name of a definition: `widgets.stock.example` is of `stock.example`. */
function groupOf(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

/** The one that came first has the names. */
function byAge(a: DefinitionDigest, b: DefinitionDigest): number {
  return a.createdAt === b.createdAt ? (a.name < b.name ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1;
}
