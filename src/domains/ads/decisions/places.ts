import type { CompiledAdSet, CompiledPlacement } from './table.ts';

/**
 * Whether an ad set may be served at a placement: one that it names or, where it names none, one of its own namespace. To name one of
 * another namespace takes the right to refer to it; to name none does not.
 */
export function mayStandAt(
  { namespace, placements }: Pick<CompiledAdSet, 'namespace' | 'placements'>,
  placement: Pick<CompiledPlacement, 'name' | 'namespace'>,
): boolean {
  return placements === undefined ? namespace === placement.namespace : placements.has(placement.name);
}
