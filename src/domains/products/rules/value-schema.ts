/** Permitted values of a config feature: a small subset of JSON Schema. */
export interface ValueSchema {
  readonly type: 'string' | 'integer' | 'number' | 'boolean';
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The fault of a value, as the end of a sentence that begins with it; `undefined` when it is valid. */
export function valueFault(schema: ValueSchema, value: unknown): string | undefined {
  const fits =
    schema.type === 'integer'
      ? Number.isSafeInteger(value)
      : schema.type === 'number'
        ? typeof value === 'number' && Number.isFinite(value)
        : typeof value === schema.type;
  if (!fits) return `is not of the type ${schema.type}`;
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return `is not one of ${schema.enum.map((allowed) => JSON.stringify(allowed)).join(', ')}`;
  }
  if (typeof value === 'number' && schema.minimum !== undefined && value < schema.minimum) {
    return `is below the minimum ${schema.minimum}`;
  }
  if (typeof value === 'number' && schema.maximum !== undefined && value > schema.maximum) {
    return `is above the maximum ${schema.maximum}`;
  }
  return undefined;
}
