import type { Steps } from '#kernel/base/turns.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { knownIndexKeys } from '#kernel/snapshots/kept-object.ts';
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
 * Finds what is live and does not pass the checks of its kind: an earlier version of the program accepted it. It stays live,
 * as taking it away would be a change that nobody decided. Pauses after each object, and ends when it is no longer wanted.
 */
export function* checkLive(
  live: LiveObjects,
  kinds: KindRegistry,
  isWanted: () => boolean,
): Steps<ReadonlyMap<LiveKey, LiveFault>> {
  const faults = new Map<LiveKey, LiveFault>();
  for (const released of kinds.all.filter((one) => one.released)) {
    const { id: kind } = released;
    for (const object of live.list(kind)) {
      const { name, revision } = object;
      if (!isWanted()) return faults;
      const problems = isFine(released, object) ? [] : checked(() => problemsIn(live, kinds, { kind, name }));
      if (problems.length > 0) faults.set(liveKey(kind, name), { kind, name, revision, problems });
      yield;
    }
  }
  return faults;
}

/** Whether there is nothing that could be wrong with it, as far as is known without reading it. */
function isFine({ check, checksReferencesOnly }: Kind, object: LiveObject): boolean {
  return (check === undefined || checksReferencesOnly === true) && knownIndexKeys(object)?.length === 0;
}

/** What a check throws at is no more accepted than what it finds a problem in. */
function checked(check: () => HoldReasons): HoldReasons {
  try {
    return check();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [{ path: [], reason: 'FieldValueInvalid', detail: `its check ends in an error of the program: ${why}` }];
  }
}
