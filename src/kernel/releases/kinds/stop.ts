import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

/** The only valid name of a Stop. */
export const STOP_NAME = 'all';

const StopSchema = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 500, description: 'Reason for the stop.' }) },
  { description: 'Stops every release.' },
);

/** While it exists no change reaches new users, changes without a policy included; abort and rollback are allowed. */
export const Stop = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Stop',
  plural: 'stops',
  categories: ['releasing'],
  scope: 'Cluster',
  writtenBy: 'administrators',
  description: 'Stops every release: while the object "all" exists, no change reaches new users.',
  spec: StopSchema,
  validate: (_spec, { name }) =>
    name === STOP_NAME
      ? []
      : [
          {
            path: ['metadata', 'name'],
            reason: 'FieldValueInvalid',
            detail: `There is one switch: it is called "${STOP_NAME}".`,
          },
        ],
  columns: [{ name: 'Reason', type: 'string', description: 'Reason for the stop.', value: ({ spec }) => spec.reason }],
  example: { name: STOP_NAME, spec: { reason: 'An incident with payments.' } },
});
