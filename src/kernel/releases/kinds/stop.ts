import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

/** The one name that a Stop may have. */
export const STOP_NAME = 'all';

const StopSchema = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 500, description: 'Why everything stands still.' }) },
  { description: 'The switch that stops every release.' },
);

/** While it is there nothing reaches anybody new, changes without a policy included; abort and rollback pass. */
export const Stop = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Stop',
  plural: 'stops',
  categories: ['releasing'],
  scope: 'Cluster',
  writtenBy: 'administrators',
  description: 'The switch that stops every release: while the object "all" is there, nothing reaches anybody new.',
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
  columns: [{ name: 'Reason', type: 'string', description: 'Why.', value: ({ spec }) => spec.reason }],
  example: { name: STOP_NAME, spec: { reason: 'An incident with payments.' } },
});
