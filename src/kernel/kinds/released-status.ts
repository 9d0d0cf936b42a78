import { Type, type Static, type TSchema } from 'typebox';
import type { Column } from './kind.ts';
import { typedReader } from './schema/read-typed.ts';

/** The status that every kind has whose spec goes live through a Head. Written by the kernel alone. */
export const RELEASED_STATUS = Type.Object({
  observedGeneration: Type.Optional(Type.Integer({ description: 'The generation that the conditions describe.' })),
  liveRevision: Type.Optional(
    Type.String({ description: 'Content hash of the spec that is live; absent when none is.' }),
  ),
  release: Type.Optional(
    Type.String({ description: 'The Release that contains the declared spec, or that made the live spec live.' }),
  ),
  conditions: Type.Optional(
    Type.Array(
      Type.Object({
        type: Type.String({ description: '`Live`: the declared spec is what the decision plane serves.' }),
        status: Type.Enum(['True', 'False', 'Unknown']),
        reason: Type.String({ description: 'A code for programs.' }),
        message: Type.String({ description: 'A sentence for people.' }),
        observedGeneration: Type.Optional(Type.Integer()),
        lastTransitionTime: Type.String({ format: 'date-time' }),
      }),
      {
        description: 'Conditions of the object.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      },
    ),
  ),
});

export type ReleasedStatus = Static<typeof RELEASED_STATUS>;

/** The standard status together with the fields that a kind has of its own. */
export function releasedStatusSchema(kindId: string, own: TSchema | undefined): TSchema {
  if (own !== undefined && !Type.IsObject(own)) throw new Error(`the status of kind ${kindId} is no object`);
  const fields = own?.properties ?? {};
  const taken = Object.keys(fields).filter((field) => Object.hasOwn(RELEASED_STATUS.properties, field));
  if (taken.length > 0) throw new Error(`the status of kind ${kindId} has ${taken.join(', ')} twice`);
  const description = 'The state of the declared spec.';
  return Type.Object({ ...RELEASED_STATUS.properties, ...fields }, { description });
}

const readStandard = typedReader(RELEASED_STATUS);

/** The standard status of a released object; empty where the kernel has not written one yet. */
export function releasedStatus({ status }: { readonly status?: unknown }): ReleasedStatus {
  return readStandard(status ?? {});
}

/** The condition `Live`: whether the declared spec is live. */
export const LIVE_CONDITION = 'Live';

export function liveCondition(object: { readonly status?: unknown }) {
  return releasedStatus(object).conditions?.find(({ type }) => type === LIVE_CONDITION);
}

export const LIVE_COLUMN: Column = {
  name: 'Live',
  type: 'string',
  description: 'Whether the declared spec is what the decision plane serves.',
  value: (object) => {
    const live = liveCondition(object);
    return live?.status === 'False' ? `False: ${live.reason}` : live?.status;
  },
};
