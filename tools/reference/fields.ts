import { code, table } from './markdown.ts';

/** The parts of a JSON schema that the reference shows. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly format?: string;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

interface Field {
  readonly path: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

/** A table of every field below a schema, by its path: `[]` stands for each item, `*` for each key. */
export function fieldTable(schema: Schema): string {
  const rows = fieldsOf(schema, '').map(({ path, schema: field, isRequired }) => [
    code(path),
    typeText(field),
    isRequired && field.default === undefined ? 'required' : defaultText(field),
    field.description ?? '',
  ]);
  return rows.length === 0 ? 'No fields.' : table(['field', 'type', 'default', 'meaning'], rows);
}

function fieldsOf(schema: Schema, prefix: string): readonly Field[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    return [{ path, schema: field, isRequired: schema.required?.includes(name) ?? false }, ...below(field, path)];
  });
  return [...own, ...[...(schema.anyOf ?? []), ...(schema.allOf ?? [])].flatMap((one) => fieldsOf(one, prefix))];
}

function below(field: Schema, path: string): readonly Field[] {
  const { items, additionalProperties: values } = field;
  return [
    ...fieldsOf(field, `${path}.`),
    ...(items === undefined ? [] : fieldsOf(items, `${path}[].`)),
    ...(typeof values === 'object' ? fieldsOf(values, `${path}.*.`) : []),
  ];
}

function typeText(schema: Schema): string {
  const { enum: values, items, additionalProperties, anyOf } = schema;
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (values !== undefined) return values.map((value) => code(String(value))).join(', ');
  if (items !== undefined) return `list of ${typeText(items)}${boundsText(schema.minItems, schema.maxItems, ' items')}`;
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeText))].join(' or ');
  if (typeof additionalProperties === 'object') {
    return `map of ${typeText(additionalProperties)}${boundsText(undefined, schema.maxProperties, ' keys')}`;
  }
  const type = schema.format ?? [schema.type ?? 'any'].flat().join(' or ');
  return `${type}${boundsText(schema.minimum, schema.maximum, '')}${boundsText(schema.minLength, schema.maxLength, ' characters')}`;
}

function boundsText(least: number | undefined, most: number | undefined, unit: string): string {
  if (least === undefined && most === undefined) return '';
  if (least === undefined) return ` ≤ ${most}${unit}`;
  return most === undefined ? ` ≥ ${least}${unit}` : ` ${least}–${most}${unit}`;
}

function defaultText({ default: value }: Schema): string {
  return value === undefined ? '' : code(JSON.stringify(value));
}
