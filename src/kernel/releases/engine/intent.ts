import { isDeepStrictEqual } from 'node:util';
import { fieldPath } from '#kernel/base/failures.ts';
import { Head, candidateOf, everyoneOf, headName, headOf, type LiveCandidate } from '#kernel/kinds/builtin/head.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import { liveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allot } from '../allot.ts';
import { Release } from '../kinds/release.ts';
import type { Carried, ReleaseSpec, Side } from '../kinds/release-spec.ts';
import { partsUpTo } from '../kinds/stages-of.ts';
import { shownBy, wantedLive } from '../live.ts';
import { settle, type Candidate } from '../settle.ts';
import type { CarriedRelease, OpenTarget, PlannedRelease, Target } from '../kinds/target.ts';
import { partsOf, type ReleasePart, type Targets } from '../kinds/targets.ts';
import { keptSide, requireKeptSide } from './look.ts';
import { oncePerEntry } from '../rules/once-per-entry.ts';
import type { Intent } from './progress.ts';
import { sameSide, type State } from './same-side.ts';

const AUTHOR: Author = { user: 'system:releases', requestId: 'release' };

interface Everyone {
  readonly object: LiveObject;
  readonly generation: number;
}

/** What a Head says, without what that is worth: who gets which state. */
interface Shown {
  readonly everyone: State | undefined;
  readonly candidate?: { readonly release: string; readonly state: State | undefined; readonly stage: number };
}

const NOTHING_SHOWN: Shown = { everyone: undefined };

/** What Heads say of releases, and the writes that change it. */
export interface Intents {
  /** The parts of a release, in the order in which they go out. */
  readonly parts: (spec: ReleaseSpec) => readonly ReleasePart[];
  readonly opened: (target: string) => OpenTarget;
  readonly of: (release: string, part: ReleasePart) => Intent;
  /** What keeps the world from taking a release, also in part, where its targets follow each other; in sentences. */
  readonly problems: (release: PlannedRelease, beside: readonly PlannedRelease[]) => Promise<readonly string[]>;
  /** Shows what a target carries in a stage; takes it back where the target has no part in it. */
  readonly expose: (release: CarriedRelease, target: string, stage: number) => Promise<void>;
  /** Gives everything to everybody. */
  readonly promote: (release: CarriedRelease) => Promise<void>;
  /** Takes back what a target carries: what was live before is live again. */
  readonly retract: (release: CarriedRelease, target: string) => Promise<void>;
}

/**
 * The intent of releases, as Heads have it. Each step is one write, made only while the release is as it was when the step
 * was decided: whatever dies, a release is at one step or at the next.
 */
export function releaseIntents(parts: {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly opened: (target: string) => OpenTarget;
}): Intents {
  const { store, live, kinds, targets, opened } = parts;
  // Each look at a release asks who has it: states without their specs, which are kept as long as the Heads.
  const shownIn = oncePerEntry((head): Shown => shown(head.object()));
  return {
    parts: (spec) => partsOf(spec, kinds, targets),
    opened,
    of,
    problems,

    expose: async (release, name, stage) => {
      const { target, objects } = partOf(release, name);
      const reached = partsUpTo(release.spec.policy?.spec, stage, target);
      if (reached.length === 0) return write(release, await retractions(release.name, objects));
      const wheres = reached.map(({ where }) => where);
      const shown = objects.find(({ kind, name: one }) => {
        return shownNow(kinds.byId(kind), one).candidate?.release === release.name;
      });
      const before = shown === undefined ? undefined : headNow(shown.kind, shown.name).candidate;
      // What was written for this stage stays: a place that has come since gets what everybody has.
      const isThere = before?.stage === stage;
      const where = isThere ? before.where : opened(name).aim(release.name, wheres, before?.where);
      const candidates = await allottedOf(release, objects);
      const operations = candidates.flatMap(({ kind, name: object, live: wanted, generation }): Operation[] => {
        const { everyone, candidate } = headNow(kind.id, object);
        const intended = { release: release.name, object: wanted, generation, stage, where };
        return isSame(candidate, intended) ? [] : [put(kind, object, everyone, intended)];
      });
      await write(release, operations);
    },

    promote: async (release) => {
      const candidates = await allottedOf(release, release.spec.objects);
      const operations = candidates.flatMap(({ kind, name, live: object, generation }): Operation[] => {
        const { everyone, candidate } = headNow(kind.id, name);
        if (object === undefined) return everyone === undefined && candidate === undefined ? [] : [gone(kind, name)];
        return [put(kind, name, { object, generation })];
      });
      await write(release, operations);
    },

    retract: async (release, name) => write(release, await retractions(release.name, partOf(release, name).objects)),
  };

  function partOf({ spec }: PlannedRelease, name: string): ReleasePart {
    const part = partsOf(spec, kinds, targets).find(({ target }) => target.name === name);
    if (part === undefined) throw new Error(`the release carries nothing for ${name}`);
    return part;
  }

  function of(release: string, { objects }: ReleasePart): Intent {
    let first: Intent | undefined;
    for (const one of objects) {
      const now = intentOf(release, one, shownNow(kinds.byId(one.kind), one.name));
      first ??= now;
      const isSameStage = now.at === 'stage' && first.at === 'stage' ? now.stage === first.stage : now.at === first.at;
      if (!isSameStage) return { at: 'mixed' };
    }
    return first ?? { at: 'nobody' };
  }

  async function problems(release: PlannedRelease, beside: readonly PlannedRelease[]): Promise<readonly string[]> {
    const found = await candidatesOf(release, release.spec.objects);
    const lost = found.filter(({ isLost }) => isLost);
    if (lost.length > 0)
      return lost.map(({ kind, name }) => `${titleOf(kind.id, name)}: its revision is no longer kept.`);
    const mine = new Map(
      found.map(({ kind, name, live: wanted }) => [liveKey(kind.id, name), { kind: kind.id, name, wanted }] as const),
    );
    const theirs = beside.flatMap((other) => shownBy(store, kinds, other.name, other.spec.objects));
    const inWay = problemsOf([...mine.values()], theirs);
    if (inWay.length > 0) return inWay;
    // Where one target has it and a later one has not yet, the world has to be whole as well.
    const order = partsOf(release.spec, kinds, targets);
    for (let count = 1; count < order.length; count += 1) {
      const first = order.slice(0, count);
      const some = first.flatMap(({ objects }) =>
        objects.flatMap(({ kind, name }) => mine.get(liveKey(kind, name)) ?? []),
      );
      const [problem] = problemsOf(some, theirs);
      const has = first.map(({ target }) => target.name).join(', ');
      const not = order.slice(count).map(({ target }) => target.name);
      if (problem !== undefined) {
        return [`While ${has} have it and ${not.join(', ')} have not: ${problem}. Say by \`before\` which go first.`];
      }
    }
    return [];
  }

  function problemsOf(mine: readonly Candidate[], theirs: readonly Candidate[]): readonly string[] {
    const held = settle(live, [...mine, ...theirs], kinds);
    const { short } = allot(live, mine, held, kinds);
    return [...held, ...short].map(([key, found]) => {
      const [kind = '', object = ''] = key.split(' ');
      const said = found.map(({ path, detail }) => (path.length === 0 ? detail : `${fieldPath(path)}: ${detail}`));
      return `${titleOf(kind, object)}: ${said.join('; ')}`;
    });
  }

  async function retractions(release: string, objects: readonly Carried[]): Promise<Operation[]> {
    const operations: Operation[] = [];
    for (const one of objects) {
      const kind = kinds.byId(one.kind);
      const { everyone, candidate } = headNow(one.kind, one.name);
      const hasAll = sameSide(one.to, everyone?.object) && !sameSide(one.from, everyone?.object);
      if (!hasAll && candidate?.release !== release) continue;
      const back = hasAll ? await requireKeptSide(store, kind, one.name, one.from) : everyone;
      operations.push(back === undefined ? gone(kind, one.name) : put(kind, one.name, back));
    }
    return operations;
  }

  /** All of it, or nothing when the release has changed since. */
  async function write({ object }: CarriedRelease, operations: readonly Operation[]): Promise<void> {
    const fence: Operation = {
      verb: 'update',
      kind: Release.id,
      namespace: '',
      name: object.metadata.name,
      part: 'status',
      object,
      fieldValidation: 'Ignore',
    };
    await store.write([fence, ...operations], AUTHOR);
  }

  function headNow(kindId: string, name: string): { everyone?: Everyone; candidate?: LiveCandidate } {
    const head = store.get(Head, '', headName(kinds.byId(kindId), name))?.object();
    if (head === undefined) return {};
    const everyone = everyoneOf(head);
    const candidate = candidateOf(head);
    return { ...(everyone === undefined ? {} : { everyone }), ...(candidate === undefined ? {} : { candidate }) };
  }

  function shownNow(kind: Kind, name: string): Shown {
    const head = store.get(Head, '', headName(kind, name));
    return head === undefined ? NOTHING_SHOWN : shownIn(head);
  }

  /** What the objects become. */
  async function candidatesOf({ name: release }: PlannedRelease, objects: readonly Carried[]) {
    return Promise.all(
      objects.map(async ({ kind: kindId, name, to }) => {
        const kind = kinds.byId(kindId);
        const seen = to === undefined ? undefined : seenNow(release, kindId, name, to);
        const kept = to === undefined || seen !== undefined ? undefined : await keptSide(store, kind, name, to);
        const object = seen ?? kept?.object;
        const isLost = to !== undefined && object === undefined;
        return { kind, name, live: object, generation: to?.generation ?? 0, isLost };
      }),
    );
  }

  /** The same with what is allotted to each: as it was at the first exposure, for it may be short by now. */
  async function allottedOf(release: CarriedRelease, objects: readonly Carried[]) {
    const found = await candidatesOf(release, objects);
    const lost = found.find(({ isLost }) => isLost);
    if (lost !== undefined) throw new Error(`the revision of ${titleOf(lost.kind.id, lost.name)} is not kept`);
    if (found.every(({ kind, live: object }) => kind.allot === undefined || object?.allotment !== undefined)) {
      return found;
    }
    const all = await candidatesOf(release, release.spec.objects);
    const candidates = all.map(({ kind, name, live: wanted }): Candidate => ({ kind: kind.id, name, wanted }));
    const { allotted, short } = allot(live, candidates, new Map(), kinds);
    const [first] = short.keys();
    if (first !== undefined) throw new Error(`there is not enough for ${first}`);
    return found.map((one) => ({ ...one, live: allotted.get(liveKey(one.kind.id, one.name)) ?? one.live }));
  }

  /** The state of that side where it can be seen without asking the database: with the release, live, or declared. */
  function seenNow(release: string, kindId: string, name: string, side: Side): LiveObject | undefined {
    const { everyone, candidate } = headNow(kindId, name);
    if (candidate?.release === release && sameSide(side, candidate.object)) return candidate.object;
    if (sameSide(side, everyone?.object)) return everyone?.object;
    const [entry] = store.find(kinds.byId(kindId), 'name', name);
    const declared = entry === undefined ? undefined : wantedLive(entry);
    return sameSide(side, declared) ? declared : undefined;
  }

  function put(kind: Kind, name: string, everyone: Everyone | undefined, candidate?: LiveCandidate): Operation {
    const object = headOf(kind, name, everyone, candidate);
    return {
      verb: 'apply',
      kind: Head.id,
      namespace: '',
      name: headName(kind, name),
      object,
      uid: crypto.randomUUID(),
    };
  }

  function gone(kind: Kind, name: string): Operation {
    return { verb: 'delete', kind: Head.id, namespace: '', name: headName(kind, name) };
  }

  function titleOf(kindId: string, name: string): string {
    return `${kinds.byId(kindId).kind} "${name}"`;
  }
}

/** Begins to observe each target. */
export function openTargets(targets: Targets, parts: Parameters<Target['open']>[0]): (target: string) => OpenTarget {
  const all = new Map(targets.map((target) => [target.name, target.open(parts)]));
  return (name) => {
    const found = all.get(name);
    if (found === undefined) throw new Error(`no module has the target ${name}`);
    return found;
  };
}

/** What the Head of one object says of a release. */
function intentOf(release: string, { to }: Carried, { everyone, candidate }: Shown): Intent {
  if (candidate?.release === release) {
    return sameSide(to, candidate.state) ? { at: 'stage', stage: candidate.stage } : { at: 'mixed' };
  }
  return sameSide(to, everyone) ? { at: 'everybody' } : { at: 'nobody' };
}

function isSame(now: LiveCandidate | undefined, intended: LiveCandidate): boolean {
  return (
    now?.release === intended.release &&
    now.stage === intended.stage &&
    sameSide(now.object, intended.object) &&
    isDeepStrictEqual(now.where, intended.where)
  );
}

function shown(head: ResourceObject): Shown {
  const candidate = candidateOf(head);
  return {
    everyone: stateOf(everyoneOf(head)?.object),
    ...(candidate === undefined
      ? {}
      : { candidate: { release: candidate.release, state: stateOf(candidate.object), stage: candidate.stage } }),
  };
}

function stateOf(object: LiveObject | undefined): State | undefined {
  if (object === undefined) return undefined;
  const { revision, namespace, labels } = object;
  return { revision, namespace, labels };
}
