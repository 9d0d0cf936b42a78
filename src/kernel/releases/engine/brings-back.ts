import type { Kind } from '#kernel/resources/kind.ts';
import type { Reader } from '#kernel/resources/store-contract.ts';
import { isOver } from '../guard.ts';
import { Pin, pinSpec } from '../kinds/pin.ts';
import { Release, releaseStatus } from '../kinds/release.ts';
import type { Trail } from './declarations.ts';
import type { State } from './same-side.ts';

/**
 * That a state was declared on top of what was taken back from people since, in sentences: it may bring that back. The
 * pins of rollbacks and the records of aborted releases say which revisions these are.
 */
export function bringsBack(
  read: Pick<Reader, 'find'>,
  kind: Kind,
  name: string,
  to: State | undefined,
  { steps }: Trail,
  now: Temporal.Instant,
): readonly string[] {
  if (to === undefined) return [];
  const object = `${kind.id} ${name}`;
  const onTopOf = (release: string, by: string, did: string, because: string) =>
    `${kind.kind} "${name}" was changed on top of what release ${release} brought, which ${by} ${did}: ${sentence(because)}`;
  const rolledBack = read.find(Pin, 'object', object).flatMap((entry) => {
    const pin = pinSpec(entry.object());
    const { refuses = [], release, by, reason } = pin;
    // What is the pinned revision itself, the pin refuses.
    const isOnTop = steps.some(
      ({ state }) => state !== undefined && state.revision !== to.revision && refuses.includes(state.revision),
    );
    return release === undefined || !isOnTop || isOver(pin, now) ? [] : [onTopOf(release, by, 'rolled back', reason)];
  });
  const aborted = new Map<string, string>();
  for (const { state, version } of steps) {
    if (state === undefined) continue;
    for (const entry of read.find(Release, 'takenBackRevision', `${object} ${state.revision}`)) {
      const ended = releaseStatus(entry.object())?.standing.state;
      // What was declared again after the abort is a decision.
      if (ended?.at !== 'aborted' || version > entry.version) continue;
      aborted.set(entry.name, onTopOf(entry.name, ended.by, 'aborted', ended.because));
    }
  }
  return [...rolledBack, ...aborted.values()];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
