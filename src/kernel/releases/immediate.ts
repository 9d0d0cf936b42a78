import { isDeepStrictEqual } from 'node:util';
import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import { Refusal, fieldPath } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { Head, headName, headOf } from '#kernel/resources/builtin/head.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/resources/kind.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';
import type { Author, Entry, Store } from '#kernel/resources/store-contract.ts';
import { type LiveObjects, liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { allot } from './allot.ts';
import { wantedLive } from './live.ts';
import { settle, type Candidate, type Held } from './settle.ts';

const AUTHOR: Author = { user: 'system:releases', requestId: 'immediate-release' };
const RETRY_MS = 200;
/** Operations in one write: what a change set may hold at most goes live in one step. */
const WRITE_MAX = 10_000;

export interface ImmediateReleases {
  /** Resolves when every write so far has been released or held. */
  readonly caughtUp: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * Lets declared specs go live at once, as far as the world stays whole; says in the status of each object whether it is
 * live and, when it is held, why. Follows the store: a write comes first, its release right after.
 */
export function runImmediateReleases(options: {
  readonly store: Store<Operation>;
  /** What is live, kept up to date by the Heads that are written here. */
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
  readonly log: Log;
}): ImmediateReleases {
  const { store, live, kinds, clock, log } = options;
  const released = kinds.all.filter((kind) => kind.released);
  const pending = new Map<LiveKey, Pick<Candidate, 'kind' | 'name'>>();
  const held = new Map<LiveKey, Pick<Candidate, 'kind' | 'name'>>();
  let stopping = false;
  let working: Promise<void> | undefined;

  for (const kind of released) for (const { name } of store.list(kind)) note(kind.id, name);
  // What is live and no longer declared is to go.
  for (const { id } of released) for (const { name } of live.list(id)) note(id, name);
  const unsubscribe = store.subscribe((changes) => {
    for (const { entry } of changes) if (entry.kind.released) note(entry.kind.id, entry.name);
    work();
  });
  work();

  return {
    caughtUp: async () => {
      while (working !== undefined) await working;
    },
    stop: async () => {
      stopping = true;
      unsubscribe();
      await working;
    },
  };

  function note(kind: string, name: string): void {
    pending.set(liveKey(kind, name), { kind, name });
  }

  function work(): void {
    if (working !== undefined || stopping || pending.size === 0) return;
    working = drain().then(() => {
      working = undefined;
      work();
    });
  }

  async function drain(): Promise<void> {
    while (pending.size > 0 && !stopping) {
      const taken = [...pending.values()];
      pending.clear();
      try {
        await release(taken);
      } catch (error) {
        // An object changed under our hands, or the database is away: look again.
        for (const { kind, name } of taken) note(kind, name);
        if (!(error instanceof Refusal)) log.error({ err: error }, 'objects could not be released; trying again');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async function release(taken: readonly Pick<Candidate, 'kind' | 'name'>[]): Promise<void> {
    // Any change can be what a held object waited for.
    const asked = new Map([...held, ...taken.map((one) => [liveKey(one.kind, one.name), one] as const)]);
    const declared = new Map([...asked].map(([key, { kind, name }]) => [key, declaredNow(kinds.byId(kind), name)]));
    const candidates = [...asked].map(([key, { kind, name }]) => ({ kind, name, wanted: declared.get(key)?.wanted }));
    const changing = candidates.filter(({ kind, name, wanted }) => !sameLive(wanted, live.get(kind, name)));
    const unsettled = settle(live, changing, kinds);
    const { allotted, short } = allot(live, changing, unsettled, kinds);
    const problems = new Map([...unsettled, ...short]);

    const heads: Operation[] = [];
    const statuses: Operation[] = [];
    for (const candidate of candidates) {
      const key = liveKey(candidate.kind, candidate.name);
      const kind = kinds.byId(candidate.kind);
      const found = declared.get(key);
      const reasons = problems.get(key);
      const before = live.get(candidate.kind, candidate.name);
      if (reasons === undefined && !sameLive(candidate.wanted, before)) {
        heads.push(headOperation(kind, candidate.name, allotted.get(key) ?? candidate.wanted, found?.entry));
      }
      const liveNow = reasons === undefined ? candidate.wanted : before;
      if (found !== undefined) statuses.push(...statusOperation(kind, found.entry, liveNow, reasons));
      else if (before !== undefined) statuses.push(...heldOperation(kind, candidate.name, reasons));
    }
    // What goes live goes live in one step; only then is it said in the objects' status.
    for (const some of chunks(heads)) await store.write(some, AUTHOR);
    for (const [key, one] of asked) {
      if (problems.has(key)) held.set(key, one);
      else held.delete(key);
    }
    for (const some of chunks(statuses)) await store.write(some, AUTHOR);
  }

  function declaredNow(kind: Kind, name: string): { entry: Entry; wanted: LiveObject } | undefined {
    const [entry] = store.find(kind, 'name', name);
    if (entry === undefined) return undefined;
    return { entry, wanted: wantedLive(entry) };
  }

  function headOperation(
    kind: Kind,
    name: string,
    wanted: LiveObject | undefined,
    entry: Entry | undefined,
  ): Operation {
    const target = { kind: Head.id, namespace: '', name: headName(kind, name) };
    if (wanted === undefined || entry === undefined) return { ...target, verb: 'delete' };
    const generation = entry.object().metadata.generation ?? 1;
    return {
      ...target,
      verb: 'apply',
      object: headOf(kind, name, { object: wanted, generation }),
      uid: crypto.randomUUID(),
    };
  }

  /** The status that says where the object stands; nothing when it says so already. */
  function statusOperation(
    kind: Kind,
    entry: Entry,
    liveNow: LiveObject | undefined,
    reasons: Held | undefined,
  ): Operation[] {
    const object = entry.object();
    const { generation = 1 } = object.metadata;
    const before = conditionsOf(object).find(({ type }) => type === 'Live');
    const said = reasons === undefined ? LIVE : { status: 'False', ...heldCondition(reasons) };
    const lastTransitionTime =
      before?.['status'] === said.status ? before['lastTransitionTime'] : kubernetesTime(clock());
    const status = {
      observedGeneration: generation,
      ...(liveNow === undefined ? {} : { liveRevision: liveNow.revision }),
      conditions: [{ type: 'Live', ...said, observedGeneration: generation, lastTransitionTime }],
    };
    if (isDeepStrictEqual(object.status, status)) return [];
    return [
      statusPatch(kind, entry.namespace, entry.name, {
        ...(liveNow === undefined ? { liveRevision: null } : {}),
        ...status,
      }),
    ];
  }

  /** A deleted object that must stay live: its Head says why. */
  function heldOperation(kind: Kind, name: string, reasons: Held | undefined): Operation[] {
    const head = store.get(Head, '', headName(kind, name));
    const text = reasons?.map(({ detail }) => detail).join('; ');
    const before = (head?.object().status as { held?: string } | undefined)?.held;
    if (head === undefined || text === undefined || text === before) return [];
    return [statusPatch(Head, '', headName(kind, name), { held: text })];
  }
}

function* chunks(operations: readonly Operation[]): Iterable<readonly Operation[]> {
  for (let from = 0; from < operations.length; from += WRITE_MAX) yield operations.slice(from, from + WRITE_MAX);
}

const LIVE = { status: 'True', reason: 'Released', message: 'The declared spec is live.' };

function heldCondition(reasons: Held): { reason: string; message: string } {
  const missing = reasons.every(({ reason }) => reason === 'FieldValueNotFound');
  return {
    reason: missing ? 'ReferenceNotFound' : 'CheckFailed',
    message: reasons
      .map(({ path, detail }) => (path.length === 0 ? detail : `${fieldPath(path)}: ${detail}`))
      .join('; '),
  };
}

function statusPatch(kind: Kind, namespace: string, name: string, status: object): Operation {
  return {
    verb: 'patch',
    kind: kind.id,
    namespace,
    name,
    part: 'status',
    patchType: 'merge',
    patch: { status },
    fieldValidation: 'Ignore',
  };
}

function conditionsOf(object: ResourceObject): readonly Record<string, unknown>[] {
  return (object.status as { conditions?: Record<string, unknown>[] } | undefined)?.conditions ?? [];
}

function sameLive(a: LiveObject | undefined, b: LiveObject | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.revision === b.revision && a.namespace === b.namespace && isDeepStrictEqual(a.labels, b.labels);
}
