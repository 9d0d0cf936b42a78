import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { attributeReader } from '#kernel/audiences/language/values.ts';
import { RANDOM_UNIT } from '../kinds/parts.ts';
import type { Evaluation } from './table.ts';

/** Number of distinct random units. */
const RANDOM_UNITS = 1_000_000_000;

export type UnitOf = (evaluation: Pick<Evaluation, 'context' | 'random'>) => string | undefined;

/**
 * Reads the unit: the first of these attributes in the context, as text. Dotted names also match nested
 * values, as in conditions; bucketing of tools that know only flat names reads flat names.
 */
export function unitReader(unit: readonly string[] = [TARGETING_KEY], bucketing?: Bucketing): UnitOf {
  const isFlat = bucketing !== undefined && FLAT.has(bucketing.algorithm);
  const readers = unit.map((name) =>
    name === RANDOM_UNIT ? undefined : isFlat ? flatReader(name) : attributeReader(name),
  );
  const [only] = readers;
  if (readers.length === 1 && only !== undefined) return ({ context }) => unitText(only(context));
  return ({ context, random }) => {
    for (const read of readers) {
      const value = read === undefined ? String(Math.floor(random() * RANDOM_UNITS)) : unitText(read(context));
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

const FLAT: ReadonlySet<Bucketing['algorithm']> = new Set(['growthbook-v1', 'growthbook-v2', 'unleash']);

function flatReader(name: string): (context: Context) => unknown {
  return (context) => (Object.hasOwn(context, name) ? context[name] : undefined);
}

function unitText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value === '' ? undefined : value;
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined;
    case 'boolean':
    case 'bigint':
      return String(value);
    default:
      return undefined;
  }
}
