import type { Kind } from '#kernel/resources/kind.ts';
import type { Reader } from '#kernel/resources/store-contract.ts';
import { isOver } from '../guard.ts';
import { Pin, pinSpec } from '../kinds/pin.ts';
import type { Trail } from './declarations.ts';
import type { State } from './same-side.ts';

/**
 * That a state was declared on top of a revision that was rolled back since, in sentences: it may bring back what was
 * taken away from people. The pins of rollbacks say which revisions these are.
 */
export function bringsBack(
  read: Pick<Reader, 'find'>,
  kind: Kind,
  name: string,
  to: State | undefined,
  trail: Trail,
  now: Temporal.Instant,
): readonly string[] {
  const pins = read.find(Pin, 'object', `${kind.id} ${name}`).map((entry) => pinSpec(entry.object()));
  if (pins.length === 0 || to === undefined) return [];
  const below = trail.steps.flatMap(({ state }) => state?.revision ?? []);
  return pins.flatMap((pin) => {
    const { refuses = [], release, by, reason } = pin;
    const isOnTop = below.some((revision) => revision !== to.revision && refuses.includes(revision));
    if (release === undefined || !isOnTop || isOver(pin, now)) return [];
    return [
      `${kind.kind} "${name}" was changed on top of what release ${release} brought, which ${by} rolled back: ${sentence(reason)}`,
    ];
  });
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
