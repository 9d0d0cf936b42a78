import { Type, type Static, type TSchema } from 'typebox';
import type { Column, KindDeclaration, KindOf, ObjectOf, ResourceObject, Verb } from './kind.ts';
import { LIVE_COLUMN, releasedStatusSchema, type ReleasedStatus } from './released-status.ts';
import { typedReader, type ValueOf } from './schema/read-typed.ts';

const BODY_BYTES_MAX = {
  /** Questions and commands are small, and any authenticated user may post some of them. */
  posted: 64 * 1024,
  /** As kube-apiserver: a resource is configuration, not a blob store. */
  stored: 3 * 1024 * 1024,
} as const;

/** Most values of a body: reading, checking and writing them takes about 15 ms. */
const BODY_VALUES_MAX = 32_768;

/** Most kinds change the answers to listeners. */
export const DEFAULT_TARGET = 'listeners';

const EVERY_VERB: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** The status of a kind: its own fields, and the standard ones where it is released. */
type StatusOf<Status extends TSchema, Released> = Released extends true
  ? Static<Status> & ReleasedStatus
  : Static<Status>;

/** Completes a declaration; every kind is made by it. */
export function defineKind<Spec extends TSchema, Status extends TSchema, const Released extends boolean = false>(
  declaration: KindDeclaration<Spec, Status> & { readonly released?: Released },
): KindOf<ValueOf<Spec>, StatusOf<Status, Released>> {
  const { spec, status: ownStatus, scope, columns = [], fields = {}, verbs = EVERY_VERB, ...others } = declaration;
  const { indexes, refs, validate, validateDelete, check, describe, actsEverywhere, ...rest } = others;
  const { group, version, kind } = rest;
  const released = declaration.released ?? false;
  const direct = declaration.direct ?? false;
  const id = group === '' ? kind : `${group}/${kind}`;
  if (released && direct)
    throw new Error(`kind ${id} is released and direct: a write cannot be live at once and by stages`);
  if (rest.computedStatus === true && (released || ownStatus === undefined))
    throw new Error(`kind ${id} has no status of its own that could be computed`);
  if (rest.names === 'namespace' && !((released || direct) && scope === 'Namespaced'))
    throw new Error(`kind ${id} has no names that are unique in a namespace: it is never live, or in none`);
  const status = released ? releasedStatusSchema(id, ownStatus) : ownStatus;
  const properties: Record<string, TSchema> = { ...fields };
  if (spec !== undefined) properties['spec'] = spec;
  if (status !== undefined) properties['status'] = Type.Optional(status);
  const readSpec = typedReader(spec);
  const readStatus = typedReader(status) as (stored: unknown) => StatusOf<Status, Released> | undefined;
  return {
    ...rest,
    ...(declaration.fields && { fields }),
    // A spec passed the schema when it was stored, maybe before a field with a default was added.
    ...(indexes && { indexes: mapValues(indexes, (of) => (stored, name) => of(readSpec(stored), name)) }),
    ...(refs && { refs: (stored, namespace) => refs(readSpec(stored), namespace) }),
    ...(check && { check: (stored, ...beside) => check(readSpec(stored), ...beside) }),
    ...(describe && {
      describe: (name, { before, after }, context) =>
        describe(name, { before: readSpec(before), after: readSpec(after) }, context),
    }),
    ...(validate && {
      validate: (stored, { before, ...context }) =>
        validate(readSpec(stored), { ...context, ...(before === undefined ? {} : { before: readSpec(before) }) }),
    }),
    ...(validateDelete && { validateDelete: (stored, context) => validateDelete(readSpec(stored), context) }),
    ...(actsEverywhere && {
      actsEverywhere: actsEverywhere === true ? true : (stored: unknown) => actsEverywhere(readSpec(stored)),
    }),
    id,
    apiVersion: group === '' ? version : `${group}/${version}`,
    singular: kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    released,
    direct,
    hasSpec: spec !== undefined,
    target: declaration.target ?? DEFAULT_TARGET,
    hasStatus: status !== undefined && rest.computedStatus !== true,
    verbs,
    bodyBytesMax: declaration.bodyBytesMax ?? BODY_BYTES_MAX[verbs.join() === 'create' ? 'posted' : 'stored'],
    bodyValuesMax: declaration.bodyValuesMax ?? BODY_VALUES_MAX,
    columns: [...columns.map(typedColumn), ...(released ? [LIVE_COLUMN] : [])],
    shortNames: declaration.shortNames ?? [],
    // `kubectl get all` shows released kinds.
    categories: [...(declaration.categories ?? []), ...(released ? ['all'] : [])],
    schema: Type.Object(properties),
    spec: (object) => readSpec(object.spec),
    status: (object) => readStatus(object.status),
  };

  /** A column gets the object with its defaults. */
  function typedColumn<Object extends ObjectOf<never, never>>(column: Column<Object>): Column {
    return { ...column, value: (object, now) => column.value(withDefaults(object) as Object, now) };
  }

  function withDefaults(object: ResourceObject): ResourceObject {
    if (object.spec === undefined) return object;
    const filled = readSpec(object.spec);
    return filled === object.spec ? object : { ...object, spec: filled };
  }
}

function mapValues<In, Out>(
  values: Readonly<Record<string, In>>,
  of: (value: In) => Out,
): Readonly<Record<string, Out>> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, of(value)]));
}
