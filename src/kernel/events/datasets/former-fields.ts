import type { Problem } from '#kernel/base/failures.ts';
import { textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { Examiner } from '#kernel/store/rules/examined-store.ts';
import { EventType } from '../kinds/event-type.ts';
import { type EventTypeSpec, eventTypeSpec } from '../kinds/event-type-spec.ts';
import { shapesOf } from './columns.ts';

/** Records the fields that the files of types have. The first record of a field stays, because later revisions are compatible. */
export async function noteFields(
  { query }: Queryable,
  types: ReadonlyMap<string, { readonly spec: EventTypeSpec }>,
): Promise<void> {
  const fields = [...types].flatMap(([type, { spec }]) =>
    [...shapesOf(spec)].map(([field, shape]) => ({ type, field, shape })),
  );
  if (fields.length === 0) return;
  await query({
    text: `
      insert into backline.dataset_fields (type, field, shape)
      select type, field, shape from unnest($1::text[], $2::text[], $3::text[]) as f (type, field, shape)
      on conflict (type, field) do nothing`,
    values: [
      textArray(fields.map(({ type }) => type)),
      textArray(fields.map(({ field }) => field)),
      textArray(fields.map(({ shape }) => shape)),
    ],
  });
}

/** Deletes the fields of types that are not declared and have no files any more. */
export async function forgetFields({ query }: Queryable, declared: Iterable<string>): Promise<void> {
  await query({
    text: `
      delete from backline.dataset_fields f
      where type <> all ($1::text[]) and not exists (select from backline.dataset_files d where d.type = f.type)`,
    values: [textArray([...declared])],
  });
}

/**
 * Refuses an EventType that is declared again with other fields than its files have: one table could not hold both.
 */
export function formerFieldsExaminer(database: Queryable): Examiner {
  return {
    kind: EventType,
    examine: async (objects) => {
      const rows = await database.query<{ type: string; field: string; shape: string; until: string | null }>({
        text: `
          select type, field, shape, (select max(expires_on)::text from backline.dataset_files d where d.type = f.type) as until
          from backline.dataset_fields f where type = any ($1::text[])`,
        values: [textArray(objects.map(({ metadata }) => metadata.name))],
      });
      const byType = Map.groupBy(rows, ({ type }) => type);
      return objects.map((object) => {
        const { name } = object.metadata;
        const spec = eventTypeSpec(object);
        const shapes = shapesOf(spec);
        return (byType.get(name) ?? []).flatMap(({ field, shape, until }): Problem[] => {
          const now = shapes.get(field);
          if (now === undefined || now === shape) return [];
          const declared = Object.keys(spec.schema.properties).find((one) => one.toLowerCase() === field) ?? field;
          const detail = `There are files of a former "${name}" until ${until ?? 'they are gone'}, in which this field is ${shape}, and not ${now}: choose another name for the field, or for the type.`;
          return [{ path: ['spec', 'schema', 'properties', declared], reason: 'FieldValueForbidden', detail }];
        });
      });
    },
  };
}
