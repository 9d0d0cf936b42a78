import type { Path, Problem } from '#kernel/base/failures.ts';
import { itemFault } from './field-check.ts';
import type { EventField, ItemField } from './event-field.ts';

/** Problems of declared fields that their schema cannot express. */
export function fieldProblems(schema: {
  readonly properties: Readonly<Record<string, EventField>>;
  readonly required: readonly string[];
}): readonly Problem[] {
  return [
    ...Object.entries(schema.properties).flatMap(([name, field]) =>
      ofField(field, ['spec', 'schema', 'properties', name]),
    ),
    ...schema.required.flatMap((name, index): Problem[] =>
      Object.hasOwn(schema.properties, name)
        ? []
        : [
            {
              path: ['spec', 'schema', 'required', index],
              reason: 'FieldValueNotFound',
              detail: `There is no field "${name}".`,
            },
          ],
    ),
  ];
}

function ofField(field: EventField, path: Path): readonly Problem[] {
  const { type, items, maxItems } = field;
  const problems: Problem[] = [];
  if (type === 'array' && items === undefined) {
    problems.push({
      path: [...path, 'items'],
      reason: 'FieldValueRequired',
      detail: 'An array needs items.',
    });
  }
  if (type !== 'array') {
    for (const [name, given] of Object.entries({ items, maxItems })) {
      if (given === undefined) continue;
      problems.push({
        path: [...path, name],
        reason: 'FieldValueForbidden',
        detail: `A field of type ${type} has no ${name}.`,
      });
    }
  }
  if (type === 'array' || type === 'object') {
    const { enum: allowed, minimum, maximum, maxLength, scale } = field;
    for (const [name, given] of Object.entries({ enum: allowed, minimum, maximum, maxLength, scale })) {
      if (given === undefined) continue;
      const where = type === 'array' ? ' Set it on its items.' : '';
      problems.push({
        path: [...path, name],
        reason: 'FieldValueForbidden',
        detail: `A field of type ${type} has no ${name}.${where}`,
      });
    }
    return items === undefined ? problems : [...problems, ...boundProblems(items, [...path, 'items'])];
  }
  return [...problems, ...boundProblems({ ...field, type }, path)];
}

function boundProblems(item: ItemField, path: Path): readonly Problem[] {
  const { type, enum: listed, minimum, maximum, maxLength, scale } = item;
  const problems: Problem[] = [];
  const forbidden = {
    integer: { maxLength, scale },
    number: { maxLength, scale },
    decimal: { maxLength, enum: listed },
    string: { minimum, maximum, scale },
    boolean: { minimum, maximum, maxLength, scale },
    timestamp: { minimum, maximum, maxLength, scale },
  }[type];
  if (type === 'decimal' && scale === undefined) {
    const detail = 'A decimal needs scale, its digits after the point: 2 for most money.';
    problems.push({ path: [...path, 'scale'], reason: 'FieldValueRequired', detail });
  }
  for (const [name, given] of Object.entries(forbidden)) {
    if (given === undefined) continue;
    problems.push({ path: [...path, name], reason: 'FieldValueForbidden', detail: `A ${type} has no ${name}.` });
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    const detail = `The minimum ${minimum} is above the maximum ${maximum}.`;
    problems.push({ path: [...path, 'minimum'], reason: 'FieldValueInvalid', detail });
  }
  const { enum: allowed = [], ...withoutEnum } = item;
  for (const [index, value] of allowed.entries()) {
    const fault = itemFault(withoutEnum, value);
    if (fault === undefined) continue;
    problems.push({
      path: [...path, 'enum', index],
      reason: 'FieldValueInvalid',
      detail: `${JSON.stringify(value)} ${fault}.`,
    });
  }
  return problems;
}
