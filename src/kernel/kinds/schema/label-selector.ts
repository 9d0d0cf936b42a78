import { Type } from 'typebox';

const CONDITIONS_MAX = 100;

/** A selector of objects by their labels, as Kubernetes has it. */
export const LabelSelectorSchema = Type.Object(
  {
    matchLabels: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Required labels.' })),
    matchExpressions: Type.Optional(
      Type.Array(
        Type.Object({
          key: Type.String({ description: 'The label.' }),
          operator: Type.Enum(['In', 'NotIn', 'Exists', 'DoesNotExist'], { description: 'The comparison.' }),
          values: Type.Optional(
            Type.Array(Type.String(), { maxItems: CONDITIONS_MAX, description: 'The values to compare with.' }),
          ),
        }),
        { maxItems: CONDITIONS_MAX, description: 'Conditions on labels, all of which must hold.' },
      ),
    ),
  },
  { description: 'Labels; an empty selector selects everything.' },
);
