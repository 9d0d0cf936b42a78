import { ATTRIBUTE, AUDIENCE } from '#kernel/audiences/kinds/identity.ts';
import type { World } from '#kernel/resources/kind.ts';
import { EXPERIMENT, FLAG, HOLDOUT } from '../kinds/identity.ts';

const KINDS = [ATTRIBUTE, AUDIENCE, FLAG, EXPERIMENT, HOLDOUT];

/** A tag of everything that flags are decided by: another one whenever something of it changed. */
export function configTag(world: World): string {
  let low = 0;
  let high = 0;
  for (const kind of KINDS) {
    for (const { name, revision, allotment } of world.list(kind)) {
      // Revisions are random enough to be added up: the order in which objects are listed does not count.
      const digest = digestOf(
        `${kind}/${name}/${revision}/${allotment === undefined ? '' : JSON.stringify(allotment)}`,
      );
      low = (low + digest.low) >>> 0;
      high = (high + digest.high) >>> 0;
    }
  }
  return `${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
}

/** Two lanes of FNV-1a. */
function digestOf(text: string): { low: number; high: number } {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b) ^ (high >>> 13);
  }
  return { low: low >>> 0, high: high >>> 0 };
}
