import type { Static, TOptional, TSchema } from 'typebox';
import { compileMissing } from './defaults.ts';
import { withAlternatives } from './lift.ts';
import { readSchema } from './schema-node.ts';

/** The type of a value of a schema; an absent optional value is undefined. */
export type ValueOf<Schema extends TSchema> = Static<Schema> | (Schema extends TOptional ? undefined : never);

/**
 * Reads values that passed a schema when they were written: gives them its static type, and the defaults of newer fields.
 * The only place where a stored value gets a type.
 */
export function typedReader<Schema extends TSchema>(schema: Schema | undefined): (value: unknown) => ValueOf<Schema> {
  let fill: ((value: unknown) => unknown) | undefined;
  return (value) => {
    // Compiled at first use: a process never reads most of its kinds.
    fill ??= schema === undefined ? (same) => same : compileMissing(withAlternatives(readSchema(schema)));
    return fill(value) as ValueOf<Schema>;
  };
}

/** Reads the specs of objects of one schema, where the kind itself cannot be imported without a circle. */
export function specReader<Schema extends TSchema>(
  schema: Schema,
): (object: { readonly spec?: unknown }) => ValueOf<Schema> {
  const read = typedReader(schema);
  return ({ spec }) => read(spec);
}
