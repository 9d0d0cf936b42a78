import { contentHash } from '#kernel/base/ids.ts';
import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import { pause, type Time } from '#kernel/base/time.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import { definitionWrites } from '#kernel/definitions/definition-writes.ts';
import type { ReleasedKindKeeper } from '#kernel/definitions/keep-definitions.ts';
import type { DefinitionCondition } from '#kernel/definitions/kinds/definition-spec.ts';
import { conditionOf } from '#kernel/definitions/rules/digest.ts';
import { namesIn, RELEASED_CONDITION } from '#kernel/definitions/rules/released-annotation.ts';
import { Head, headName, headOf } from '#kernel/kinds/builtin/head.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { LIVE_CONDITION, releasedStatus } from '#kernel/kinds/released-status.ts';
import { nameCharsMax } from '#kernel/kinds/schema/names.ts';
import type { Author, Entry, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { Release } from '../kinds/release.ts';
import { releasesWith } from './guard-definitions.ts';

const AUTHOR: Author = { user: 'system:definitions', requestId: 'released-kinds' };

/** Objects of one write. */
const WRITTEN_AT_ONCE = 500;
/** Objects that a message names. */
const NAMED_MAX = 3;

/** Under a constant load the engine is never at its end. */
const CAUGHT_UP_MS_MAX = 10_000;

/** The condition `Released` in its forms. */
const BEGINNING = { status: 'False', reason: 'Beginning', message: 'Objects go live as they are.' } as const;
const RELEASED = { status: 'True', reason: 'Released', message: 'Objects go live by releases.' } as const;
const ENDING = { status: 'False', reason: 'Ending', message: 'Heads of objects go.' } as const;

type ReleasedCondition = Pick<DefinitionCondition, 'status' | 'reason' | 'message'>;

/**
 * Begins and ends the releases of kinds that definitions define. Objects that are there at the beginning go live as they are: each gets
 * a Head, and then the kind is released in every process. At the end processes forget it first, and then Heads and statuses go.
 * Each step follows from what is stored, so that another process continues.
 */
export function keepReleasedKinds(parts: {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
  readonly time: Time;
  /** Resolves when every write so far is live, included in a release, or held. */
  readonly caughtUp: () => Promise<void>;
}): ReleasedKindKeeper {
  const { store, kinds, clock, time, caughtUp } = parts;
  const writes = definitionWrites(store);
  return async (digest, { waitFor, signal }) => {
    const kindId = `${digest.group}/${digest.names.kind}`;
    const condition = conditionOf(digest, RELEASED_CONDITION);
    const isWanted = digest.target !== undefined && !digest.isTerminating;
    if (!kinds.isKnown(kindId)) {
      if (condition === undefined && !isWanted) return;
      // Nothing calls again when it is served: the caller retries.
      throw new Error(`${kindId} is not served yet`);
    }
    const kind = kinds.byId(kindId);
    if (condition !== undefined && (!isWanted || condition.reason === ENDING.reason)) return end(kind, condition);
    if (isWanted && condition?.status !== 'True') return begin(kind, condition);

    async function begin(of: Kind, before: DefinitionCondition | undefined): Promise<void> {
      const named = { ...placeOf(of), ...namesIn(of) };
      waitFor(of);
      const objects = [...store.list(of)];
      const wrong: string[] = [];
      await inTurns(eachOf(objects, (entry) => void wrong.push(...problemsOf(named, entry))));
      if (wrong.length > 0) return write(notReleasable(wrong), before);
      if (before?.reason !== BEGINNING.reason) return write(BEGINNING, before);
      const withoutHead = objects.filter(
        ({ namespace, name }) => store.get(Head, '', headName(named, liveName(named, namespace, name))) === undefined,
      );
      await writeAll(withoutHead, (entry) => [adoption(named, entry)]);
      if (!signal.aborted) await write(RELEASED, before);
    }

    async function end(of: Kind, before: DefinitionCondition): Promise<void> {
      if (before.reason !== ENDING.reason) return write(ENDING, before);
      // The engine may be in the middle of a change of the kind.
      await Promise.race([caughtUp(), pause(time, CAUGHT_UP_MS_MAX, signal)]);
      if (releasesWith(kindId, store).length > 0) return waitFor(Release);
      await writeAll(headsOf(of), ({ name }) => [{ verb: 'delete', kind: Head.id, namespace: '', name }]);
      await writeAll([...store.list(of)], withoutLive);
      if (!signal.aborted) await write(undefined, before);
    }

    async function writeAll(entries: readonly Entry[], operationsOf: (entry: Entry) => Operation[]): Promise<void> {
      for (let at = 0; at < entries.length && !signal.aborted; at += WRITTEN_AT_ONCE) {
        const operations: Operation[] = [];
        const some = entries.slice(at, at + WRITTEN_AT_ONCE);
        await inTurns(eachOf(some, (entry) => void operations.push(...operationsOf(entry))));
        if (operations.length > 0) await store.write(operations, AUTHOR);
      }
    }

    async function write(next: ReleasedCondition | undefined, before: DefinitionCondition | undefined): Promise<void> {
      const { conditions = [] } = digest.status;
      if (next?.reason === before?.reason && next?.message === before?.message) return;
      const lastTransitionTime = next?.status === before?.status ? before?.lastTransitionTime : kubernetesTime(clock());
      const others = conditions.filter(({ type }) => type !== RELEASED_CONDITION);
      const added =
        next === undefined
          ? []
          : [{ type: RELEASED_CONDITION, ...next, ...(lastTransitionTime && { lastTransitionTime }) }];
      await writes.status(digest.name, { ...digest.status, conditions: [...others, ...added] });
    }
  };

  /** Heads have no index of kinds: those of a kind stand together by name. */
  function headsOf({ plural, group }: Kind): readonly Entry[] {
    const prefix = `${plural}.${group}.`;
    const heads: Entry[] = [];
    for (const head of store.list(Head, { after: { namespace: '', name: prefix } })) {
      if (!head.name.startsWith(prefix)) break;
      heads.push(head);
    }
    return heads;
  }
}

type HeadNames = Pick<Kind, 'id' | 'kind' | 'plural' | 'group' | 'names'>;

function placeOf({ id, kind, plural, group }: Kind): HeadNames {
  return { id, kind, plural, group };
}

/** Why an object cannot go live. */
function problemsOf(kind: HeadNames, entry: Entry): readonly string[] {
  const { namespace, name } = entry;
  const live = liveName(kind, namespace, name);
  const chars = headName(kind, live).length;
  const { spec } = entry.object();
  return [
    ...(chars > nameCharsMax
      ? [`${kind.kind} "${live}": the name of its Head would have ${chars} characters, and may have ${nameCharsMax}`]
      : []),
    ...(typeof spec === 'object' && spec !== null ? [] : [`${kind.kind} "${live}" has no spec`]),
  ];
}

function notReleasable(problems: readonly string[]): ReleasedCondition {
  const more = problems.length - NAMED_MAX;
  const named = `${problems.slice(0, NAMED_MAX).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
  return { status: 'False', reason: 'NotReleasable', message: `${named}. Change or delete these objects.` };
}

/** The Head of an object that was there before its kind was released: it goes live as it is. */
function adoption(kind: HeadNames, entry: Entry): Operation {
  const { namespace, labels } = entry;
  const { spec, metadata } = entry.object();
  const name = liveName(kind, namespace, entry.name);
  const object: LiveObject = { kind: kind.id, namespace, name, labels, spec, revision: contentHash(spec) };
  return {
    verb: 'apply',
    kind: Head.id,
    namespace: '',
    name: headName(kind, name),
    object: headOf(kind, name, { object, generation: metadata.generation ?? 1 }),
    uid: crypto.randomUUID(),
  };
}

/** Takes what the release engine wrote out of a status; what others wrote stays. */
function withoutLive(entry: Entry): Operation[] {
  const { status } = entry.object();
  const { conditions, liveRevision, release } = releasedStatus({ status });
  const others = conditions?.filter(({ type }) => type !== LIVE_CONDITION);
  if (liveRevision === undefined && release === undefined && others?.length === conditions?.length) return [];
  return [
    {
      verb: 'patch',
      kind: entry.kind.id,
      namespace: entry.namespace,
      name: entry.name,
      part: 'status',
      patchType: 'merge',
      patch: { status: { liveRevision: null, release: null, conditions: others ?? null } },
      fieldValidation: 'Ignore',
    },
  ];
}
