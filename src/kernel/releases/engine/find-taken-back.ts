import type { Reader } from '#kernel/store/contract.ts';
import { Release } from '../kinds/release.ts';
import type { Trail } from './declarations.ts';
import type { ObjectRef } from './object-ref.ts';
import { sameSide, type State } from './same-side.ts';

/**
 * Sentences about changes that were ended after exposure and on top of which a state was declared: it may bring them back. The
 * stored releases decide, not the pins.
 */
export function findTakenBackChanges(
  read: Pick<Reader, 'find'>,
  { kind, name }: ObjectRef,
  to: State | undefined,
  { steps }: Trail,
): readonly string[] {
  if (to === undefined) return [];
  const onTopOf = new Map<string, string>();
  for (const { state, version } of steps) {
    if (state === undefined) continue;
    for (const entry of read.find(Release, 'takenBackRevision', `${kind.id} ${name} ${state.revision}`)) {
      const { takenBack, objects } = Release.spec(entry.object());
      const brought = objects.find((one) => one.kind === kind.id && one.name === name);
      const isOnlyLabels = brought?.from?.revision === state.revision;
      // A change that was declared after the rollback is a decision.
      if (takenBack === undefined || version > entry.version || (isOnlyLabels && !sameSide(brought.to, state)))
        continue;
      const did = takenBack.how === 'aborted' ? 'aborted' : 'rolled back';
      const what = `${kind.kind} "${name}" was changed on top of release ${entry.name}`;
      onTopOf.set(entry.name, `${what}, which ${takenBack.by} ${did}: ${sentence(takenBack.because)}`);
    }
  }
  return [...onTopOf.values()];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
