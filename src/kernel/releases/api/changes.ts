import type { Clock } from '#kernel/base/clock.ts';
import { fieldChanges, type FieldChange } from '#kernel/base/field-changes.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import { notFoundRefusal } from '#kernel/store/rules/write.ts';
import { Overlay, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { sentencesOf } from '../engine/describe-release.ts';
import type { PendingChange } from '../engine/form.ts';
import { readSide } from '../engine/look.ts';
import { CHANGES_AT_ONCE_MAX, ReleaseChanges } from '../kinds/release-changes.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseItem, Side } from '../kinds/release-spec.ts';

/** An answer ends after the object that exceeds this size. */
const ANSWER_CHARS_MAX = 1_000_000;

/** Answers ReleaseChanges from the revisions that the release names, also after the objects have changed. */
export function releaseChanges(parts: {
  readonly store: Pick<Store<never>, 'get' | 'fresh' | 'revision'>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
}): ReadonlyMap<string, VirtualKind> {
  const { store, live, kinds, clock } = parts;
  const answer: VirtualKind = async (given, { name = '' }) => {
    const { offset = 0, limit = CHANGES_AT_ONCE_MAX } = ReleaseChanges.spec(given) ?? {};
    await store.fresh();
    const entry = store.get(Release, '', name);
    if (entry === undefined) throw notFoundRefusal(Release, name);
    const { objects, planHash } = Release.spec(entry.object());
    const part = objects.slice(offset, offset + limit);
    const sides: (PendingChange | undefined)[] = [];
    for (const one of part) sides.push(await sidesOf(one));
    const world = new Overlay(live, kinds);
    for (const one of sides) if (one !== undefined) world.put(one.kind.id, one.name, one.wanted?.object);
    const answered: object[] = [];
    let chars = 0;
    for (const [index, one] of part.entries()) {
      const changed = sides[index];
      const { kind, name: object, from, to } = one;
      const fields = changed === undefined ? undefined : fieldsOf(changed);
      const next = {
        kind,
        namespace: (to ?? from)?.namespace ?? '',
        name: object,
        ...(fields === undefined ? {} : { fields }),
        sentences: changed === undefined ? [] : sentencesOf(changed, world, clock()),
      };
      answered.push(next);
      chars += JSON.stringify(next).length;
      if (chars > ANSWER_CHARS_MAX) break;
    }
    const end = offset + answered.length;
    const next = end < objects.length ? { next: end } : {};
    return { ...given, status: { planHash, total: objects.length, ...next, objects: answered } };
  };
  return new Map([[`${Release.id}/changes`, answer]]);

  /** undefined: a revision is no longer stored, or its kind is unknown. */
  async function sidesOf({ kind: kindId, name, from, to }: ReleaseItem): Promise<PendingChange | undefined> {
    if (!kinds.isKnown(kindId)) return undefined;
    const kind = kinds.byId(kindId);
    const readOptionalSide = async (side: Side | undefined) =>
      side === undefined ? undefined : readSide(store, kind, name, side);
    const [before, wanted] = await Promise.all([readOptionalSide(from), readOptionalSide(to)]);
    if ((from !== undefined && before === undefined) || (to !== undefined && wanted === undefined)) return undefined;
    return { kind, name, live: before, wanted };
  }
}

function fieldsOf({ kind, live: before, wanted }: PendingChange): readonly FieldChange[] {
  const fields = fieldChanges(contentOf(before), contentOf(wanted));
  return kind.confidential === true ? fields.map(({ path }) => ({ path })) : fields;
}

function contentOf(side: PendingChange['live']): object | undefined {
  if (side === undefined) return undefined;
  const { namespace, labels, spec } = side.object;
  return { ...(namespace === '' ? {} : { namespace }), labels, spec };
}
