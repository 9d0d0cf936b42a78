import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { readableProblems } from '#kernel/store/rules/readable-problems.ts';
import { Overlay, liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';

interface ObjectName {
  readonly kind: string;
  readonly name: string;
}

/**
 * What is wrong with an object in a world that may follow the live one: a reference that does not resolve, or what the
 * check of its kind finds.
 */
export function problemsIn(world: World, kinds: KindRegistry, of: ObjectName, live = world): HoldReasons {
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

/** A declared state that would like to go live; `wanted` is undefined for an object that was deleted. */
export interface Candidate extends ObjectName {
  readonly wanted: LiveObject | undefined;
}

/** What keeps a candidate from going live: its own problems, or what it would break. */
export type HoldReasons = readonly Problem[];

/**
 * Decides which candidates may go live together so that the world stays whole: every reference resolves and every
 * kind's check passes. Starts from all of them and takes back what breaks, so that objects that need each other go
 * live at once whatever their order; then tries those taken back once more, one by one. What was live before and is
 * not a candidate is never taken away. Pure.
 *
 * @returns the candidates that are held back, with the reasons; all others may go live.
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
  /** With every candidate that was not taken back. */
  readonly #world: Overlay;
  /** Which candidates refer to a key; who refers to it in the live world is known there. */
  readonly #referrers = new Map<LiveKey, LiveKey[]>();
  /** What is to be checked. */
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
      if (this.#world.touched().has(key)) this.#takeBack(key, problems);
      else {
        for (const culprit of this.#culpritsOf(key)) {
          this.#takeBack(culprit, [this.#wouldBreak(culprit, key, problems)]);
        }
      }
    }
  }

  /** Something may have been taken back only because of another that was taken back later. */
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

  /** Problems are read by whoever may read the object: they tell of others in its namespace alone. */
  #namespaceOf(kind: string, name: string): string | undefined {
    return (this.#byKey.get(liveKey(kind, name))?.wanted ?? this.#live.get(kind, name))?.namespace;
  }

  /** The object itself and everything that refers to it, also by way of what passes on. */
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

  /** What is live already, and was accepted by another version of the program, may have problems that no candidate made. */
  #problemsOf(key: LiveKey): HoldReasons {
    const [kind, name] = split(key);
    const problems = problemsIn(this.#world, this.#kinds, { kind, name }, this.#live);
    if (problems.length === 0 || this.#world.touched().has(key)) return problems;
    const before = problemsIn(this.#live, this.#kinds, { kind, name });
    return problems.filter((problem) => !before.some((one) => isDeepStrictEqual(one, problem)));
  }

  /** The accepted candidates that an object which was fine before may owe its problems to. */
  #culpritsOf(key: LiveKey): readonly LiveKey[] {
    const found = new Set([key]);
    for (const each of found) {
      const [kind, name] = split(each);
      if (each !== key && this.#kinds.byId(kind).passesOn !== true) continue;
      for (const ref of this.#refsOf(this.#world.get(kind, name))) found.add(liveKey(ref.kind, ref.name));
    }
    const touched = this.#world.touched();
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
