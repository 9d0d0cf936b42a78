import { isDeepStrictEqual } from 'node:util';
import { fieldPath } from '#kernel/base/failures.ts';
import type { Steps } from '#kernel/base/turns.ts';
import { Head, headName, headOf, type LiveCandidate } from '#kernel/kinds/builtin/head.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allot } from '../allot.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseItem, ReleaseSpec } from '../kinds/release-spec.ts';
import { partsUpTo } from '../kinds/release-stages.ts';
import { shownBy } from '../live.ts';
import { settle, type Candidate } from '../settle.ts';
import type { StoredRelease, OpenTarget, PlannedRelease, Target } from '../kinds/target.ts';
import { partsOf, type ReleasePart, type Targets } from '../kinds/targets.ts';
import { HeadStates, type LiveEveryone } from './head-states.ts';
import { requireKeptSide } from './look.ts';
import { problemsOnTheWay } from './problems-on-the-way.ts';
import type { Intent } from './progress.ts';
import { asCandidate, findAllottedCandidates, findCandidates, type CandidateParts } from './release-candidates.ts';
import { sameSide } from './same-side.ts';

const AUTHOR: Author = { user: 'system:releases', requestId: 'release' };

interface IntentParts {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly targetOf: (target: string) => OpenTarget;
}

/**
 * Reads and writes the intent of releases in Heads. Each step is one write that fails if the release has changed since the
 * decision: after any crash a release is at one step or at the next.
 */
export class Intents {
  readonly targetOf: (target: string) => OpenTarget;
  readonly #parts: IntentParts & CandidateParts;
  readonly #heads: HeadStates;

  constructor(parts: IntentParts) {
    this.targetOf = parts.targetOf;
    this.#heads = new HeadStates(parts.store, parts.kinds);
    this.#parts = { ...parts, heads: this.#heads };
  }

  /** The parts of a release by target, in release order. */
  parts(spec: ReleaseSpec): readonly ReleasePart[] {
    return partsOf(spec, this.#parts.kinds, this.#parts.targets);
  }

  /** Reads the Heads of a release in steps, before its intents are needed at once. */
  read({ objects }: ReleaseSpec): Steps<void> {
    return this.#heads.read(objects);
  }

  /** The intent of one target's part. */
  of(release: string, part: ReleasePart): Intent {
    return this.#heads.intent(release, part);
  }

  /** Reasons that block a release, also in the intermediate states while its targets follow each other; in sentences. */
  async problems(release: PlannedRelease, beside: readonly PlannedRelease[]): Promise<readonly string[]> {
    const { store, kinds } = this.#parts;
    const found = await findCandidates(this.#parts, release.name, release.spec.objects);
    const lost = found.filter(({ isLost }) => isLost);
    if (lost.length > 0)
      return lost.map(({ kind, name }) => `${kind.kind} "${name}": its revision is no longer stored.`);
    const byKind = Map.groupBy(found.map(asCandidate), ({ kind }) => kinds.byId(kind).target);
    const order = this.parts(release.spec).map(({ target: { name } }) => {
      return { target: name, candidates: byKind.get(name) ?? [] };
    });
    const theirs = beside.flatMap((other) => shownBy(store, kinds, other.name, other.spec.objects));
    return problemsOnTheWay(order, (mine) => this.#worldProblems(mine, theirs));
  }

  /** Exposes the part of a target in a stage; retracts it where the target has no part in it. */
  async expose(release: StoredRelease, target: string, stage: number): Promise<void> {
    const part = this.#partOf(release, target);
    const reached = partsUpTo(release.spec.policy?.spec, stage, part.target);
    if (reached.length === 0) return this.#write(release, await this.#retractions(release.name, part.objects));
    const wheres = reached.map(({ where }) => where);
    const where = this.#aim(release.name, part, stage, wheres);
    const candidates = await findAllottedCandidates(this.#parts, release, part.objects);
    const operations = candidates.flatMap(({ kind, name, object, generation }): Operation[] => {
      const { everyone, candidate } = this.#heads.content({ kind: kind.id, name });
      const intended = { release: release.name, object, generation, stage, where };
      return isSame(candidate, intended) ? [] : [put(kind, name, everyone, intended)];
    });
    await this.#write(release, operations);
  }

  /** Makes all objects live for everyone. */
  async promote(release: StoredRelease): Promise<void> {
    const candidates = await findAllottedCandidates(this.#parts, release, release.spec.objects);
    const operations = candidates.flatMap(({ kind, name, object, generation }): Operation[] => {
      if (object !== undefined) return [put(kind, name, { object, generation })];
      const { everyone, candidate } = this.#heads.content({ kind: kind.id, name });
      return everyone === undefined && candidate === undefined ? [] : [deleteHead(kind, name)];
    });
    await this.#write(release, operations);
  }

  /** Retracts the part of a target: the earlier state is live again. */
  async retract(release: StoredRelease, target: string): Promise<void> {
    const { objects } = this.#partOf(release, target);
    await this.#write(release, await this.#retractions(release.name, objects));
  }

  #partOf({ spec }: PlannedRelease, name: string): ReleasePart {
    const part = this.parts(spec).find(({ target }) => target.name === name);
    if (part === undefined) throw new Error(`the release carries nothing for ${name}`);
    return part;
  }

  /** Where a stage is live. The stored place list stays: a place that joined since gets the state of everyone. */
  #aim(release: string, { target, objects }: ReleasePart, stage: number, wheres: readonly unknown[]): unknown {
    const shown = objects.find((one) => this.#heads.state(one).candidate?.release === release);
    const before = shown === undefined ? undefined : this.#heads.content(shown).candidate;
    return before?.stage === stage ? before.where : this.targetOf(target.name).aim(release, wheres, before?.where);
  }

  #worldProblems(mine: readonly Candidate[], theirs: readonly Candidate[]): readonly string[] {
    const { live, kinds } = this.#parts;
    const held = settle(live, [...mine, ...theirs], kinds);
    const { short } = allot(live, mine, held, kinds);
    return [...held, ...short].map(([key, found]) => {
      const [kind = '', name = ''] = key.split(' ');
      const texts = found.map(({ path, detail }) => (path.length === 0 ? detail : `${fieldPath(path)}: ${detail}`));
      return `${kinds.byId(kind).kind} "${name}": ${texts.join('; ')}`;
    });
  }

  async #retractions(release: string, objects: readonly ReleaseItem[]): Promise<Operation[]> {
    const { store, kinds } = this.#parts;
    const operations: Operation[] = [];
    for (const one of objects) {
      const kind = kinds.byId(one.kind);
      const { everyone, candidate } = this.#heads.content(one);
      const hasAll = sameSide(one.to, everyone?.object) && !sameSide(one.from, everyone?.object);
      if (!hasAll && candidate?.release !== release) continue;
      const back = hasAll ? await requireKeptSide(store, kind, one.name, one.from) : everyone;
      operations.push(back === undefined ? deleteHead(kind, one.name) : put(kind, one.name, back));
    }
    return operations;
  }

  /** All operations, or none when the release has changed since. */
  async #write({ object }: StoredRelease, operations: readonly Operation[]): Promise<void> {
    const { name } = object.metadata;
    const target = { kind: Release.id, namespace: '', name };
    const fence: Operation = { ...target, verb: 'update', part: 'status', object, fieldValidation: 'Ignore' };
    await this.#parts.store.write([fence, ...operations], AUTHOR);
  }
}

/** Starts observation of each target. */
export function openTargets(targets: Targets, parts: Parameters<Target['open']>[0]): (target: string) => OpenTarget {
  const all = new Map(targets.map((target) => [target.name, target.open(parts)]));
  return (name) => {
    const found = all.get(name);
    if (found === undefined) throw new Error(`no module has the target ${name}`);
    return found;
  };
}

function put(kind: Kind, name: string, everyone: LiveEveryone | undefined, candidate?: LiveCandidate): Operation {
  const object = headOf(kind, name, everyone, candidate);
  const target = { kind: Head.id, namespace: '', name: headName(kind, name) };
  return { ...target, verb: 'apply', object, uid: crypto.randomUUID() };
}

function deleteHead(kind: Kind, name: string): Operation {
  return { verb: 'delete', kind: Head.id, namespace: '', name: headName(kind, name) };
}

function isSame(now: LiveCandidate | undefined, intended: LiveCandidate): boolean {
  return (
    now?.release === intended.release &&
    now.stage === intended.stage &&
    sameSide(now.object, intended.object) &&
    isDeepStrictEqual(now.where, intended.where)
  );
}
