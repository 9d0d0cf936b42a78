import { Type, type Static, type TSchema } from 'typebox';
import type { Column, Kind, KindDeclaration, Verb } from './kind.ts';

/** The status of every kind whose spec goes live through a Head. Written by the kernel alone. */
const ReleasedStatus = Type.Object(
  {
    observedGeneration: Type.Optional(Type.Integer({ description: 'The generation that the conditions speak of.' })),
    liveRevision: Type.Optional(
      Type.String({ description: 'Content hash of the spec that is live; absent when none is.' }),
    ),
    release: Type.Optional(
      Type.String({ description: 'The Release that carries the declared spec, or that brought what is live.' }),
    ),
    conditions: Type.Optional(
      Type.Array(
        Type.Object({
          type: Type.String({ description: '`Live`: the declared spec is what the decision plane serves.' }),
          status: Type.Enum(['True', 'False', 'Unknown']),
          reason: Type.String({ description: 'One word for programs.' }),
          message: Type.String({ description: 'A sentence for people.' }),
          observedGeneration: Type.Optional(Type.Integer()),
          lastTransitionTime: Type.String({ format: 'date-time' }),
        }),
        {
          description: 'What is true of the object now.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
        },
      ),
    ),
  },
  { description: 'What has become of the declared spec.' },
);

const BODY_BYTES_MAX = {
  /** Questions and commands are small; whoever is known may post some of them. */
  posted: 64 * 1024,
  /** As kube-apiserver: a resource is configuration, not a blob store. */
  stored: 3 * 1024 * 1024,
} as const;

/** Reading, checking and writing so many takes some 15 ms. */
const BODY_VALUES_MAX = 32_768;

const EVERY_VERB: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

const LIVE_COLUMN: Column = {
  name: 'Live',
  type: 'string',
  description: 'Whether the declared spec is what the decision plane serves.',
  value: ({ status }) => {
    const { conditions = [] } = (status ?? {}) as Static<typeof ReleasedStatus>;
    const live = conditions.find(({ type }) => type === 'Live');
    return live?.status === 'False' ? `False: ${live.reason}` : live?.status;
  },
};

/** Completes a declaration. The one way to make a kind. */
export function defineKind<Spec extends TSchema, Status extends TSchema>(
  declaration: KindDeclaration<Spec, Status>,
): Kind {
  const { group, version, kind, scope, spec, fields = {}, verbs = EVERY_VERB } = declaration;
  const released = declaration.released ?? false;
  const status: TSchema | undefined = released ? ReleasedStatus : declaration.status;
  const properties: Record<string, TSchema> = { ...fields };
  if (spec !== undefined) properties['spec'] = spec;
  if (status !== undefined) properties['status'] = Type.Optional(status);
  return {
    // The functions of a declaration are called only with specs that passed its own schema.
    ...(declaration as unknown as KindDeclaration<TSchema, TSchema>),
    id: group === '' ? kind : `${group}/${kind}`,
    apiVersion: group === '' ? version : `${group}/${version}`,
    singular: kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    released,
    hasStatus: status !== undefined,
    verbs,
    bodyBytesMax: declaration.bodyBytesMax ?? BODY_BYTES_MAX[verbs.join() === 'create' ? 'posted' : 'stored'],
    bodyValuesMax: declaration.bodyValuesMax ?? BODY_VALUES_MAX,
    columns: [...(declaration.columns ?? []), ...(released ? [LIVE_COLUMN] : [])],
    shortNames: declaration.shortNames ?? [],
    // `kubectl get all` shows what the business declares.
    categories: [...(declaration.categories ?? []), ...(released ? ['all'] : [])],
    schema: Type.Object(properties),
  };
}
