import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { toldProblems } from '#kernel/store/rules/told-problems.ts';
import { Overlay, liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';

/**
 * What is wrong with an object in a world that may follow the live one: a reference that does not resolve, or what the
 * check of its kind finds.
 */
export function problemsIn(world: World, kinds: KindRegistry, kindId: string, name: string, live = world): Held {
  const object = world.get(kindId, name);
  if (object === undefined) return [];
  const kind = kinds.byId(kindId);
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
export interface Candidate {
  readonly kind: string;
  readonly name: string;
  readonly wanted: LiveObject | undefined;
}

/** What keeps a candidate from going live: its own problems, or what it would break. */
export type Held = readonly Problem[];

/**
 * Decides which candidates may go live together so that the world stays whole: every reference resolves and every
 * kind's check passes. Starts from all of them and takes back what breaks, so that objects that need each other go
 * live at once whatever their order; then tries those taken back once more, one by one. What was live before and is
 * not a candidate is never taken away. Pure.
 *
 * @returns the candidates that are held back, with the reasons; all others may go live.
 */
export function settle(live: LiveObjects, candidates: readonly Candidate[], kinds: KindRegistry): Map<LiveKey, Held> {
  const byKey = new Map(candidates.map((candidate) => [liveKey(candidate.kind, candidate.name), candidate]));
  const world = new Overlay(live, kinds);
  const held = new Map<LiveKey, Held>();
  // Which candidates refer to a key; who refers to it in the live world is known there.
  const referrers = new Map<LiveKey, LiveKey[]>();
  for (const [key, { kind, name, wanted }] of byKey) {
    world.put(kind, name, wanted);
    for (const ref of refsOf(wanted)) {
      const target = liveKey(ref.kind, ref.name);
      const known = referrers.get(target);
      if (known === undefined) referrers.set(target, [key]);
      else known.push(key);
    }
  }

  const queue = new Set<LiveKey>();
  const touch = (key: LiveKey) => around(key).forEach((other) => queue.add(other));
  for (const key of byKey.keys()) touch(key);
  for (const key of queue) {
    queue.delete(key);
    const problems = problemsOf(key);
    if (problems.length === 0) continue;
    if (world.touched().has(key)) takeBack(key, problems);
    else {
      for (const culprit of culpritsOf(key)) takeBack(culprit, [wouldBreak(culprit, key, problems)]);
    }
  }

  // Something may have been taken back only because of another that was taken back later.
  for (let progress = true; progress;) {
    progress = false;
    for (const [key, candidate] of byKey) {
      if (!held.has(key)) continue;
      world.put(candidate.kind, candidate.name, candidate.wanted);
      if (around(key).every((other) => problemsOf(other).length === 0)) {
        held.delete(key);
        progress = true;
      } else world.revert(candidate.kind, candidate.name);
    }
  }
  return held;

  function takeBack(key: LiveKey, problems: Held): void {
    world.revert(...split(key));
    held.set(
      key,
      toldProblems(problems, (kind, name) => namespaceOf(kind, name) === namespaceOf(...split(key))),
    );
    touch(key);
  }

  /** Problems are read by whoever may read the object: they tell of others in its namespace alone. */
  function namespaceOf(kind: string, name: string): string | undefined {
    return (byKey.get(liveKey(kind, name))?.wanted ?? live.get(kind, name))?.namespace;
  }

  /** The object itself and everything that refers to it, also by way of what passes on. */
  function around(key: LiveKey): LiveKey[] {
    const found = new Set([key]);
    for (const each of found) {
      const [kind, name] = split(each);
      if (each !== key && kinds.byId(kind).passesOn !== true) continue;
      for (const other of [...live.dependents(kind, name), ...(referrers.get(each) ?? [])]) found.add(other);
    }
    return [...found];
  }

  /** What is live already, and was accepted by another version of the program, may have problems that no candidate made. */
  function problemsOf(key: LiveKey): Held {
    const [kind, name] = split(key);
    const problems = problemsIn(world, kinds, kind, name, live);
    if (problems.length === 0 || world.touched().has(key)) return problems;
    const before = problemsIn(live, kinds, kind, name);
    return problems.filter((problem) => !before.some((one) => isDeepStrictEqual(one, problem)));
  }

  /** The accepted candidates that an object which was fine before may owe its problems to. */
  function culpritsOf(key: LiveKey): LiveKey[] {
    const found = new Set([key]);
    for (const each of found) {
      const [kind, name] = split(each);
      if (each !== key && kinds.byId(kind).passesOn !== true) continue;
      for (const ref of refsOf(world.get(kind, name))) found.add(liveKey(ref.kind, ref.name));
    }
    const referred = [...found].filter((target) => target !== key && world.touched().has(target));
    return referred.length > 0 ? referred : [...world.touched()];
  }

  function wouldBreak(culprit: LiveKey, broken: LiveKey, problems: Held): Problem {
    const [kindId, name] = split(broken);
    const gone = byKey.get(culprit)?.wanted === undefined;
    const what = gone ? 'it is still needed by' : 'it would break';
    const { kind } = kinds.byId(kindId);
    return {
      path: [],
      reason: 'FieldValueInvalid',
      detail: `${what} ${kind} "${name}": ${problems.map(({ detail }) => detail).join('; ')}`,
      about: { kind: kindId, name, instead: `${what} a ${kind} of another namespace` },
    };
  }

  function refsOf(object: LiveObject | undefined) {
    return object === undefined ? [] : (kinds.byId(object.kind).refs?.(object.spec, object.namespace) ?? []);
  }
}

function split(key: LiveKey): [kind: string, name: string] {
  const space = key.indexOf(' ');
  return [key.slice(0, space), key.slice(space + 1)];
}
