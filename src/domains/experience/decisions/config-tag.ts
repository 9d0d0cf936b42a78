import { ATTRIBUTE, AUDIENCE } from '#kernel/audiences/kinds/identity.ts';
import type { World } from '#kernel/resources/kind.ts';
import { digestText, worldDigest } from '#kernel/snapshots/world-digest.ts';
import { EXPERIMENT, FLAG, HOLDOUT } from '../kinds/identity.ts';

const KINDS = [ATTRIBUTE, AUDIENCE, FLAG, EXPERIMENT, HOLDOUT];

/** A tag of everything that flags are decided by: another one whenever something of it changed. */
export function configTag(world: World): string {
  return digestText(worldDigest(KINDS.flatMap((kind) => [...world.list(kind)])));
}
