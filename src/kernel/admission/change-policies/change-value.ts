import { once } from '#kernel/api/document.ts';
import type { Value } from '#kernel/cel/values.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { sentencesOf } from '#kernel/releases/engine/describe-release.ts';
import { declaredIn, wantedLive } from '#kernel/releases/live.ts';
import { Overlay } from '#kernel/snapshots/live-objects.ts';
import type { Change, ReviewedRequest } from '#kernel/store/contract.ts';
import { visible } from '../visible.ts';
import { liveIn, liveValue } from './live-world.ts';

const OPERATIONS = { ADDED: 'CREATE', MODIFIED: 'UPDATE', DELETED: 'DELETE' } as const;

interface ChangeParts extends Pick<ReviewedRequest, 'read' | 'now' | 'changes'> {
  readonly kinds: KindRegistry;
  readonly live: () => World;
}

/** Makes the value that expressions know as `change`. What is not asked for is not made: objects are parsed, sentences written once. */
export function changeValue(parts: ChangeParts): (change: Change) => Value {
  const { read, now } = parts;
  const after = once(() => worldAfter(parts));
  return (change) => {
    const { type, entry, before } = change;
    const { kind, namespace, name } = entry;
    const liveAs = liveName(kind, namespace, name);
    const live = once(() => liveIn(read, kind, liveAs));
    const wanted = type === 'DELETED' ? undefined : entry;
    const made: Readonly<Record<string, () => Value>> = {
      object: once(() => visible(kind, wanted?.object())),
      oldObject: once(() => visible(kind, before?.object())),
      live: once(() => liveValue(live())),
      sentences: once(() => [...planSentences()]),
    };
    const planSentences = (): readonly string[] => {
      if (kind.confidential === true) return [];
      const object = live();
      const from = object === undefined ? undefined : { object, generation: 0 };
      const into = wanted === undefined ? undefined : declaredIn(wanted);
      return sentencesOf({ kind, name: liveAs, live: from, wanted: into }, after(), now);
    };
    const value = {
      operation: OPERATIONS[type],
      group: kind.group,
      version: kind.version,
      kind: kind.kind,
      namespace,
      name,
    };
    for (const [field, get] of Object.entries(made)) Object.defineProperty(value, field, { enumerable: true, get });
    return value;
  };
}

/** The live world with all changes of the write in it. */
function worldAfter({ changes, kinds, live }: ChangeParts): World {
  const world = new Overlay(live(), kinds);
  for (const { type, entry } of changes) {
    const { kind, namespace, name } = entry;
    if (!kind.released && !kind.direct) continue;
    world.put(kind.id, liveName(kind, namespace, name), type === 'DELETED' ? undefined : wantedLive(entry));
  }
  return world;
}
