import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Reader } from '#kernel/store/contract.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import { isOver, pinsOf, refusedOf } from './guard.ts';
import { Pin, pinName, type PinSpec } from '../kinds/pin.ts';
import type { ReleaseSpec, Side } from '../kinds/release-spec.ts';
import { wantedLive } from '../live.ts';
import { timeText } from './time-text.ts';
import type { ObjectRef } from './object-ref.ts';
import { sameSide } from './same-side.ts';

/** Reason and author of a rollback. */
export interface TakenBack {
  readonly release: string;
  readonly by: string;
  readonly because: string;
}

type Live = (kind: string, name: string) => LiveObject | undefined;

/**
 * Operations that re-declare the live specs, in reverse order. Skips objects that somebody has changed since. Empty when nothing is
 * left to do.
 */
export function restoreOperations(
  { objects }: ReleaseSpec,
  read: Reader,
  live: Live,
  kinds: KindRegistry,
): Operation[] {
  const operations = objects
    .toReversed()
    .flatMap(({ kind, name, to }) =>
      redeclareOperations({ kind: kinds.byId(kind), name }, { expected: to, wanted: live(kind, name) }, read),
    );
  return withNamespaces(operations, read);
}

/** The same, preceded by namespaces that have been deleted since: a rollback waits for nobody to create them. */
export function withNamespaces(operations: readonly Operation[], read: Reader): Operation[] {
  const needed = operations.flatMap(({ verb, namespace }) =>
    verb === 'create' && namespace !== '' ? [namespace] : [],
  );
  const missing = [...new Set(needed)].filter((name) => read.get(Namespace, '', name) === undefined);
  return [
    ...missing.map((name): Operation => {
      const object = { apiVersion: Namespace.apiVersion, kind: Namespace.kind, metadata: { name } };
      const target = { kind: Namespace.id, namespace: '', name, uid: crypto.randomUUID() };
      return { ...target, verb: 'create', object, fieldValidation: 'Ignore' };
    }),
    ...operations,
  ];
}

/** Declares an object as `wanted`, where it is still declared as `expected`. */
export function redeclareOperations(
  { kind, name }: ObjectRef,
  { expected, wanted }: { readonly expected: Side | undefined; readonly wanted: LiveObject | undefined },
  read: Reader,
): Operation[] {
  const entry = findEntry(read, kind, name);
  const declared = entry === undefined ? undefined : wantedLive(entry);
  if (!sameSide(expected, declared)) return [];
  // The version protects concurrent declarations of others.
  const deleteEntry = (): Operation[] =>
    entry === undefined
      ? []
      : [
          {
            verb: 'delete',
            kind: kind.id,
            namespace: entry.namespace,
            name: entry.name,
            versionExpected: String(entry.version),
            restores: true,
          },
        ];
  if (wanted === undefined) {
    return entry?.object().metadata.deletionTimestamp === undefined ? deleteEntry() : [];
  }
  if (declared !== undefined && sameSide(declared, wanted)) return [];
  const { namespace } = wanted;
  const target = { kind: kind.id, namespace, name: readLiveName(kind, name).name, uid: crypto.randomUUID() };
  const object = declaredAs(kind, wanted, entry?.object());
  if (entry?.namespace !== namespace)
    return [...deleteEntry(), { ...target, verb: 'create', object, fieldValidation: 'Ignore', restores: true }];
  const seen = { ...object, metadata: { ...object.metadata, resourceVersion: String(entry.version) } };
  return [{ ...target, verb: 'apply', object: seen, restores: true }];
}

/** The object that declares the live state; annotations are not released and stay. */
function declaredAs(
  kind: Kind,
  { namespace, name, labels, spec }: LiveObject,
  before: ResourceObject | undefined,
): ResourceObject {
  const { annotations } = before?.metadata ?? {};
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: {
      name: readLiveName(kind, name).name,
      namespace,
      labels: { ...labels },
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec,
  };
}

/** Pins against the return of a rolled-back change, where none exist yet; an object with too many loses the oldest. */
export function pinOperations(
  spec: ReleaseSpec,
  taken: TakenBack,
  read: Reader,
  { kinds, nowMs }: { readonly kinds: KindRegistry; readonly nowMs: number },
): Operation[] {
  const lasts = spec.policy?.spec.pinFor;
  const until = lasts === undefined ? {} : { until: timeText(nowMs + durationMs(lasts)) };
  return spec.objects.flatMap(({ kind: kindId, name, from, to }): Operation[] => {
    const kind = kinds.byId(kindId);
    const refused = refusedOf(from, to);
    const own = pinName(kind, name, taken.release);
    const known = read.get(Pin, '', own);
    const before = known === undefined ? undefined : Pin.spec(known.object());
    const holds = before !== undefined && !isOver(before, Temporal.Instant.fromEpochMilliseconds(nowMs));
    if (holds && before.refuses?.includes(refused) === true) return [];
    const pin: PinSpec = {
      object: { kind: kindId, name },
      refuses: [refused],
      release: taken.release,
      by: taken.by,
      reason: taken.because.slice(0, REASON_MAX),
      ...until,
    };
    const others = pinsOf(read, kind, name).filter((one) => one.name !== own && Pin.spec(one.object()).refuses);
    const surplus = others
      .toSorted((a, b) => a.version - b.version)
      .slice(0, Math.max(0, others.length + 1 - PINS_MAX));
    return [pinOperation(own, pin), ...surplus.map((one) => unpinOperation(one.name))];
  });
}

/** Pins of one object: one for each rollback. */
const PINS_MAX = 100;
const REASON_MAX = 1_000;

export function pinOperation(name: string, pin: PinSpec): Operation {
  const object = { apiVersion: Pin.apiVersion, kind: Pin.kind, metadata: { name }, spec: pin };
  return { verb: 'apply', kind: Pin.id, namespace: '', name, object, uid: crypto.randomUUID() };
}

export function unpinOperation(name: string): Extract<Operation, { verb: 'delete' }> {
  return { verb: 'delete', kind: Pin.id, namespace: '', name };
}
