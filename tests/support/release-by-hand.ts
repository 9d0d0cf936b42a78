import { contentHash } from '#kernel/base/ids.ts';
import { everyoneOf, Head, headName, headOf } from '#kernel/kinds/builtin/head.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import type { Cohort } from '#kernel/snapshots/cohort.ts';
import { putHead } from '#kernel/snapshots/testing/exposing-heads.ts';

const AUTHOR: Author = { user: 'test', requestId: 'released-by-hand' };

/** One object of a release: `spec` is what its cohort gets, undefined is nothing. */
export interface ReleaseItem {
  readonly kind: Kind;
  readonly name: string;
  readonly spec: unknown;
}

/** A release that is carried out by hand: writes the Heads that the release engine would, each step in one write. */
export function releaseByHand(store: Store<Operation>, name: string, carried: readonly ReleaseItem[]) {
  const candidates = carried.map(({ kind, name: object, spec }) => ({
    kind,
    name: object,
    live: spec === undefined ? undefined : liveOf(kind, object, spec),
  }));
  const write = (operations: readonly Operation[]) => store.write(operations, AUTHOR);
  const everyone = (kind: Kind, object: string): ReturnType<typeof everyoneOf> => {
    const head = store.get(Head, '', headName(kind, object))?.object();
    return head === undefined ? undefined : everyoneOf(head);
  };
  const drop = (kind: Kind, object: string): Operation => ({
    verb: 'delete',
    kind: Head.id,
    namespace: '',
    name: headName(kind, object),
  });
  return {
    /** Shows what it carries to a cohort. */
    expose: (where: Cohort) =>
      write(
        candidates.map(({ kind, name: object, live }) => {
          const stage = where.slices.length - 1;
          const candidate = { release: name, object: live, generation: 2, stage, where };
          return putHead(headOf(kind, object, everyone(kind, object), candidate));
        }),
      ),
    /** Makes it live for everyone. */
    promote: () =>
      write(
        candidates.map(({ kind, name: object, live }) =>
          live === undefined ? drop(kind, object) : putHead(headOf(kind, object, { object: live, generation: 2 })),
        ),
      ),
    /** Takes it back from the cohort. */
    retract: () =>
      write(
        candidates.map(({ kind, name: object }) => {
          const before = everyone(kind, object);
          return before === undefined ? drop(kind, object) : putHead(headOf(kind, object, before));
        }),
      ),
  };
}

/** The spec of what everybody gets, with something changed in it. */
export function changeObject(store: Store<Operation>, kind: Kind, name: string, change: object): ReleaseItem {
  const head = store.get(Head, '', headName(kind, name))?.object();
  if (head === undefined) throw new Error(`${kind.kind} ${name} is not live`);
  return { kind, name, spec: { ...specOf(head), ...change } };
}

function specOf(head: ResourceObject): object {
  const spec = everyoneOf(head)?.object.spec;
  return typeof spec === 'object' && spec !== null ? spec : {};
}

function liveOf(kind: Kind, name: string, spec: unknown): LiveObject {
  return { kind: kind.id, namespace: 'default', name, labels: {}, spec, revision: contentHash(spec) };
}
