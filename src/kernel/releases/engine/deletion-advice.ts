import type { Operation } from '#kernel/store/rules/operation.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { liveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { settle, type Candidate } from '../settle.ts';
import { textOf } from './go-live.ts';

/** Warnings for deletions: objects that stay live, and the objects that need them. In the order of the operations. */
export function deletionAdvice(
  operations: readonly Operation[],
  live: LiveObjects,
  kinds: KindRegistry,
): readonly (string | undefined)[] {
  const candidates = operations.map(({ verb, kind, namespace, name: plain }): Candidate | undefined => {
    const name = liveName(kinds.byId(kind), namespace, plain);
    return verb === 'delete' && kinds.byId(kind).released && live.get(kind, name) !== undefined
      ? { kind, name, wanted: undefined }
      : undefined;
  });
  const deleted = candidates.filter((candidate) => candidate !== undefined);
  if (deleted.length === 0) return operations.map(() => undefined);
  const held = settle(live, deleted, kinds);
  return candidates.map((candidate) => {
    if (candidate === undefined) return undefined;
    const { kind, name } = candidate;
    const reasons = held.get(liveKey(kind, name));
    return reasons && `${kinds.byId(kind).kind} "${name}" is deleted and kept live: ${textOf(reasons)}`;
  });
}
