import { isDeepStrictEqual } from 'node:util';
import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import { LATE, pause, within, type Time } from '#kernel/base/time.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { definitionWrites } from './definition-writes.ts';
import { DueGroups, groupInName } from './due-groups.ts';
import type { FollowedDefinitions } from './follow-definitions.ts';
import { CLEANUP, CustomResourceDefinition } from './kinds/custom-resource-definition.ts';
import type { DefinitionStatus } from './kinds/definition-spec.ts';
import { statusFor } from './rules/accept-names.ts';
import { conditionOf, digestOf, isEstablished, type DefinitionDigest } from './rules/digest.ts';
import { RELEASED_CONDITION } from './rules/released-annotation.ts';

/** How long kinds may take to be served before the group is tried again. */
const SETTLE_MS_MAX = 10_000;

/** Brings the releases of a kind to what its definition says, by the condition `Released`. Called again after each change of it. */
export type ReleasedKindKeeper = (
  digest: DefinitionDigest,
  /** `waitFor`: calls again when objects of a kind change. */
  context: { readonly waitFor: (kind: Kind) => void; readonly signal: AbortSignal },
) => Promise<void>;

/**
 * Keeps the statuses of definitions, and lets a deleted one go when its objects are gone. Runs in the process that writes, so
 * that two definitions never get one name. Returns the way to stop it.
 */
export function keepDefinitions(parts: {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly followed: FollowedDefinitions;
  readonly keepReleased: ReleasedKindKeeper;
  readonly clock: Clock;
  readonly time: Time;
  readonly log: Log;
}): { readonly stop: () => Promise<void> } {
  const { store, kinds, followed, keepReleased, clock, time, log } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  const writes = definitionWrites(store);
  const outage = new Outage(log, 'definitions: cannot keep statuses');
  const groups = new DueGroups(store, { time, signal });
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };

  async function run(): Promise<void> {
    for (let group = await groups.take(); group !== undefined; group = await groups.take()) {
      try {
        await keepGroup(group);
        outage.noteRecovery();
      } catch (error) {
        groups.add(group);
        await pause(time, outage.noteFailure(error), signal);
      }
    }
  }

  async function keepGroup(group: string): Promise<void> {
    const entries = definitionsOf(store, group);
    // Definitions are large, and each is parsed once.
    await inTurns(eachOf(entries, digestOf));
    const names = entries
      .map(digestOf)
      .toSorted(byAge)
      .map(({ name }) => name);
    const failures: unknown[] = [];
    for (const name of names) {
      // One that fails keeps none of the others from going.
      await keep(name, names, group).catch((error: unknown) => failures.push(error));
    }
    if (definitionsOf(store, group).some((entry) => digestOf(entry).isTerminating)) groups.addLater(group);
    if (failures.length > 0) throw failures[0];
  }

  async function keep(name: string, names: readonly string[], group: string): Promise<void> {
    // As they are now: those before it may have got their names a moment ago.
    const all = names.flatMap((one) => store.get(CustomResourceDefinition, '', one) ?? []).map(digestOf);
    const digest = all.find((one) => one.name === name);
    if (digest === undefined || signal.aborted) return;
    const status = statusFor(digest, all, kubernetesTime(clock()));
    if (!isDeepStrictEqual(status, digest.status)) await writeStatus(digest, status);
    else if (isEstablished(digest)) {
      await settleKinds(followed, time);
      await keepReleased(digest, { waitFor: (kind) => groups.waitFor(kind, group), signal });
    }
    // Its objects are no longer live when they go.
    const isUnderRelease = conditionOf(digest, RELEASED_CONDITION) !== undefined;
    if (digest.isTerminating && digest.finalizers.includes(CLEANUP) && !isUnderRelease) await clear(digest);
  }

  async function writeStatus(digest: DefinitionDigest, status: DefinitionStatus): Promise<void> {
    const isAccepted = status.conditions?.some(({ type, status: is }) => type === 'NamesAccepted' && is === 'True');
    // It is served before a client can read that it is established, in this process first of all.
    if (isAccepted === true && !isEstablished(digest)) await followed.serve(digest.name);
    await writes.status(digest.name, status);
  }

  /** Deletes the objects of a definition that goes, and lets it go once there is none. */
  async function clear(digest: DefinitionDigest): Promise<void> {
    const { name, group, names, finalizers } = digest;
    await settleKinds(followed, time);
    const kindId = `${group}/${names.kind}`;
    const kind = kinds.isKnown(kindId) ? kinds.byId(kindId) : undefined;
    // Its objects are not known, and would stay in the database for ever.
    if (kind === undefined && isEstablished(digest)) throw new Error(`${kindId} is not served yet`);
    if (kind?.definition?.name === name && store.count(kind) > 0) {
      groups.waitFor(kind, group);
      await writes.deleteObjects(kind, signal);
      if (store.count(kind) > 0) return;
    }
    await writes.release(name, finalizers);
  }
}

function definitionsOf(store: Pick<Store<Operation>, 'list'>, group: string): readonly Entry[] {
  return Array.from(store.list(CustomResourceDefinition)).filter(({ name }) => groupInName(name) === group);
}

async function settleKinds(followed: FollowedDefinitions, time: Time): Promise<void> {
  const settled = followed.settle();
  if (settled !== undefined && (await within(settled, SETTLE_MS_MAX, time)) === LATE) {
    throw new Error(`kinds were not served within ${SETTLE_MS_MAX / 1000} s`);
  }
}

/** The one that came first has the names. */
function byAge(a: DefinitionDigest, b: DefinitionDigest): number {
  return a.createdAt === b.createdAt ? (a.name < b.name ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1;
}
