import type { Kind, Twins } from './kind.ts';

/** A kind that is served in two groups. The registry has it in the one in which its objects are stored. */
export function withTwin<Stored extends Kind>(stored: Stored, other: Kind, convert: Twins['convert']): Stored {
  const kinds: Kind[] = [];
  const first = { ...stored, twins: { kinds, convert } };
  kinds.push(first, { ...other, id: stored.id, twins: first.twins });
  return first;
}
