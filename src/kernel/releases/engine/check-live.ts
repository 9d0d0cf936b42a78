import type { Steps } from '#kernel/base/turns.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { knownIndexKeys } from '#kernel/snapshots/compact-object.ts';
import { liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { problemsIn, type HoldReasons } from '../settle.ts';

/** A live revision that this program would not accept. */
export interface LiveFault {
  readonly kind: string;
  readonly name: string;
  readonly revision: string;
  readonly problems: HoldReasons;
}

/**
 * Finds live objects of these kinds that fail the checks of their kind, because an earlier version of the program, or of a definition, accepted them. They stay live:
 * removal would be a change that nobody decided. Pauses after each object, and stops when it is no longer wanted.
 */
export function* checkLive(
  live: LiveObjects,
  kinds: KindRegistry,
  of: readonly Kind[],
  isWanted: () => boolean,
): Steps<ReadonlyMap<LiveKey, LiveFault>> {
  const faults = new Map<LiveKey, LiveFault>();
  for (const released of of) {
    const { id: kind } = released;
    for (const object of live.list(kind)) {
      const { name, revision } = object;
      if (!isWanted()) return faults;
      const problems = isFine(released, object) ? [] : runCheck(() => problemsIn(live, kinds, { kind, name }));
      if (problems.length > 0) faults.set(liveKey(kind, name), { kind, name, revision, problems });
      yield;
    }
  }
  return faults;
}

/** Whether an object has no problem, as far as known without parsing it. */
function isFine({ check, checksReferencesOnly }: Kind, object: LiveObject): boolean {
  return (check === undefined || checksReferencesOnly === true) && knownIndexKeys(object)?.length === 0;
}

/** A check that throws does not accept the object. */
function runCheck(check: () => HoldReasons): HoldReasons {
  try {
    return check();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [{ path: [], reason: 'FieldValueInvalid', detail: `internal error in its check: ${why}` }];
  }
}
