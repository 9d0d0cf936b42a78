import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { withOwnObjects } from '#kernel/kinds/own-objects.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { readableProblems } from '#kernel/store/rules/readable-problems.ts';
import { Overlay, liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';

interface ObjectName {
  readonly kind: string;
  readonly name: string;
}

/** Problems of an object in a possible next live state: unresolved references, or those that the check of its kind finds. */
export function problemsIn(declared: World, kinds: KindRegistry, of: ObjectName, live = declared): HoldReasons {
  const world = withOwnObjects(declared, kinds.own);
  const { name } = of;
  const object = world.get(of.kind, name);
  if (object === undefined) return [];
  const kind = kinds.byId(of.kind);
  const missing = (kind.refs?.(object.spec, object.namespace) ?? [])
    .filter((ref) => world.get(ref.kind, ref.name) === undefined)
    .map((ref): Problem => ({
      path: ref.path,
      reason: 'FieldValueNotFound',
      detail: `there is no live ${kinds.byId(ref.kind).kind} "${ref.name}"`,
    }));
  // A check may rely on its references.
  return missing.length > 0 ? missing : (kind.check?.(object.spec, world, name, live) ?? []);
}

/** A declared state that is ready to go live; `wanted` is undefined for a deletion. */
export interface Candidate extends ObjectName {
  readonly wanted: LiveObject | undefined;
}

/** Causes of a hold besides references and checks; each is a reason of the condition `Live`. */
export type HoldCause = 'Pinned' | 'Stopped' | 'WaitsForRelease' | 'BackOff';

export interface HoldReason extends Problem {
  /** Absent: a reference or a check. */
  readonly cause?: HoldCause;
}

/** Why a candidate is held: its own problems, or objects that it would break. */
export type HoldReasons = readonly HoldReason[];

/**
 * Decides which candidates may go live together so that every reference resolves and every check passes. Starts with all candidates
 * and removes those that break it, so that mutually dependent objects go live in any order; then retries the removed ones one by
 * one. Live objects that are no candidates are never removed. Pure.
 *
 * @returns the held candidates, with reasons; all others may go live.
 */
export function settle(
  live: LiveObjects,
  candidates: readonly Candidate[],
  kinds: KindRegistry,
): Map<LiveKey, HoldReasons> {
  const settlement = new Settlement(live, candidates, kinds);
  settlement.takeBackBroken();
  settlement.tryAgain();
  return settlement.held;
}

class Settlement {
  readonly held = new Map<LiveKey, HoldReasons>();
  readonly #live: LiveObjects;
  readonly #kinds: KindRegistry;
  readonly #byKey: ReadonlyMap<LiveKey, Candidate>;
  /** The live objects with all candidates that are not held. */
  readonly #world: Overlay;
  /** Candidates that refer to a key; the live objects know their own referrers. */
  readonly #referrers = new Map<LiveKey, LiveKey[]>();
  /** Keys that need a check. */
  readonly #queue = new Set<LiveKey>();

  constructor(live: LiveObjects, candidates: readonly Candidate[], kinds: KindRegistry) {
    this.#live = live;
    this.#kinds = kinds;
    this.#byKey = new Map(candidates.map((candidate) => [liveKey(candidate.kind, candidate.name), candidate]));
    this.#world = new Overlay(live, kinds);
    for (const [key, { kind, name, wanted }] of this.#byKey) {
      this.#world.put(kind, name, wanted);
      for (const ref of this.#refsOf(wanted)) {
        const target = liveKey(ref.kind, ref.name);
        const known = this.#referrers.get(target);
        if (known === undefined) this.#referrers.set(target, [key]);
        else known.push(key);
      }
    }
  }

  takeBackBroken(): void {
    for (const key of this.#byKey.keys()) this.#touch(key);
    for (const key of this.#queue) {
      this.#queue.delete(key);
      const problems = this.#problemsOf(key);
      if (problems.length === 0) continue;
      if (this.#world.touchedKeys().has(key)) this.#takeBack(key, problems);
      else {
        for (const culprit of this.#culpritsOf(key)) {
          this.#takeBack(culprit, [this.#wouldBreak(culprit, key, problems)]);
        }
      }
    }
  }

  /** A candidate may have been held only because of another one that was held later. */
  tryAgain(): void {
    for (let progress = true; progress;) {
      progress = false;
      for (const [key, { kind, name, wanted }] of this.#byKey) {
        if (!this.held.has(key)) continue;
        this.#world.put(kind, name, wanted);
        if (this.#around(key).every((other) => this.#problemsOf(other).length === 0)) {
          this.held.delete(key);
          progress = true;
        } else this.#world.revert(kind, name);
      }
    }
  }

  #touch(key: LiveKey): void {
    for (const other of this.#around(key)) this.#queue.add(other);
  }

  #takeBack(key: LiveKey, problems: HoldReasons): void {
    const [kind, name] = split(key);
    this.#world.revert(kind, name);
    const namespace = this.#namespaceOf(kind, name);
    this.held.set(
      key,
      readableProblems(problems, (otherKind, other) => this.#namespaceOf(otherKind, other) === namespace),
    );
    this.#touch(key);
  }

  /** Readers of an object see its problems, which therefore name other objects of its namespace alone. */
  #namespaceOf(kind: string, name: string): string | undefined {
    return (this.#byKey.get(liveKey(kind, name))?.wanted ?? this.#live.get(kind, name))?.namespace;
  }

  /** The object and everything that refers to it, also through kinds that pass references on. */
  #around(key: LiveKey): readonly LiveKey[] {
    const found = new Set([key]);
    for (const each of found) {
      const [kind, name] = split(each);
      if (each !== key && this.#kinds.byId(kind).passesOn !== true) continue;
      for (const other of this.#live.dependents(kind, name)) found.add(other);
      for (const other of this.#referrers.get(each) ?? []) found.add(other);
    }
    return [...found];
  }

  /** A live object of an earlier version of the program may have problems that no candidate caused. */
  #problemsOf(key: LiveKey): HoldReasons {
    const [kind, name] = split(key);
    const problems = problemsIn(this.#world, this.#kinds, { kind, name }, this.#live);
    if (problems.length === 0 || this.#world.touchedKeys().has(key)) return problems;
    const before = problemsIn(this.#live, this.#kinds, { kind, name });
    return problems.filter((problem) => !before.some((one) => isDeepStrictEqual(one, problem)));
  }

  /** The accepted candidates that may have broken an object which was valid before. */
  #culpritsOf(key: LiveKey): readonly LiveKey[] {
    const found = new Set([key]);
    for (const each of found) {
      const [kind, name] = split(each);
      if (each !== key && this.#kinds.byId(kind).passesOn !== true) continue;
      for (const ref of this.#refsOf(this.#world.get(kind, name))) found.add(liveKey(ref.kind, ref.name));
    }
    const touched = this.#world.touchedKeys();
    const referred = [...found].filter((target) => target !== key && touched.has(target));
    return referred.length > 0 ? referred : [...touched];
  }

  #wouldBreak(culprit: LiveKey, broken: LiveKey, problems: HoldReasons): Problem {
    const [kindId, name] = split(broken);
    const gone = this.#byKey.get(culprit)?.wanted === undefined;
    const what = gone ? 'it is still needed by' : 'it would break';
    const { kind } = this.#kinds.byId(kindId);
    return {
      path: [],
      reason: 'FieldValueInvalid',
      detail: `${what} ${kind} "${name}": ${problems.map(({ detail }) => detail).join('; ')}`,
      about: { kind: kindId, name, instead: `${what} a ${kind} of another namespace` },
    };
  }

  #refsOf(object: LiveObject | undefined) {
    return object === undefined ? [] : (this.#kinds.byId(object.kind).refs?.(object.spec, object.namespace) ?? []);
  }
}

function split(key: LiveKey): [kind: string, name: string] {
  const space = key.indexOf(' ');
  return [key.slice(0, space), key.slice(space + 1)];
}
