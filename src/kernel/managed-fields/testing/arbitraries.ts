import fc from 'fast-check';
import { ANY, LEAF, type FieldType } from '../field-type.ts';

/** A type, and values of it. */
export interface TypedValues {
  readonly type: FieldType;
  readonly value: fc.Arbitrary<unknown>;
}

const NAMES = ['a', 'b', 'c'] as const;
const scalar = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constantFrom('x', 'y'), fc.boolean());

/** Types of every form, at most this deep, each with its values. */
export function typedValues(depth: number): fc.Arbitrary<TypedValues> {
  const leaf = fc.constantFrom<TypedValues>(
    { type: LEAF, value: scalar },
    { type: LEAF, value: fc.array(scalar, { maxLength: 2 }) },
    { type: LEAF, value: fc.dictionary(fc.constantFrom(...NAMES), scalar, { maxKeys: 2, noNullPrototype: true }) },
  );
  if (depth === 0) return leaf;
  const below = typedValues(depth - 1);
  return fc.oneof(
    leaf,
    structs(below),
    below.map((of) => mapOf(of)),
    fc.constant<TypedValues>({
      type: { form: 'list', keys: [], items: LEAF, nullable: false },
      value: fc.uniqueArray(fc.constantFrom('x', 'y', 'z', 1, 2), { maxLength: 4 }),
    }),
    below.map((of) => listOf(of)),
    fc.constant<TypedValues>({ type: ANY, value: fc.oneof(scalar, fc.object({ maxDepth: 2, values: [scalar] })) }),
  );
}

/** Structs as objects are: at the root of every object. */
export function structs(below: fc.Arbitrary<TypedValues>): fc.Arbitrary<TypedValues> {
  return fc.record({ a: below, b: below, c: below }).map((fields) => ({
    type: {
      form: 'map',
      fields: new Map(Object.entries(fields).map(([name, { type }]) => [name, type])),
      nullable: false,
    },
    value: fc.record(
      { a: fields.a.value, b: fields.b.value, c: fields.c.value },
      { requiredKeys: [], noNullPrototype: true },
    ),
  }));
}

function mapOf({ type, value }: TypedValues): TypedValues {
  return {
    type: { form: 'map', fields: new Map(), others: type, nullable: false },
    value: fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 3, noNullPrototype: true }),
  };
}

function listOf({ type, value }: TypedValues): TypedValues {
  const fields = new Map<string, FieldType>([
    ['name', LEAF],
    ['port', LEAF],
    ['value', type],
  ]);
  const keys = [
    { name: 'name', initial: undefined },
    { name: 'port', initial: 80 },
  ];
  const item = fc.record(
    { name: fc.constantFrom(...NAMES), port: fc.constantFrom(80, 81), value },
    { requiredKeys: ['name'], noNullPrototype: true },
  );
  return {
    type: { form: 'list', keys, items: { form: 'map', fields, nullable: false }, nullable: false },
    value: fc.uniqueArray(item, { maxLength: 4, selector: ({ name, port }) => `${name}:${port ?? 80}` }),
  };
}
