import { canonicalJson } from '#kernel/base/ids.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { FlagSpec } from '../../kinds/flag-spec.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import type { GrowthbookFeature } from './payload.ts';

const NAME_CHARS_MAX = 60;

/** Variants of a feature's Flag: one per value, and more where one experiment repeats a value. */
export interface FeatureValues {
  readonly type: FlagSpec['type'];
  readonly variants: FlagSpec['variants'];
  /** Default variant; undefined where GrowthBook gives null and code uses its own default. */
  readonly fallback: string | undefined;
  /** The variant of a value; `copy` selects the second, third … with the same value. */
  readonly nameOf: (value: unknown, copy?: number) => string;
  /** Distinct variants for the variations of one experiment. */
  readonly namesOf: (variations: readonly unknown[]) => readonly string[];
}

/** Possible values of a feature. Throws UnsupportedSource when they have several types, or there are none. */
export function featureValues({ defaultValue = null, rules = [] }: GrowthbookFeature, path: Path): FeatureValues {
  const variants = new Map<string, { name: string; value: unknown }>();
  const names = new Set<string>();
  const add = (value: unknown, copy: number, at: Path): void => {
    if (value === null || value === undefined)
      throw new UnsupportedSource(at, 'null is the default in the code and cannot be the value of some listeners only');
    const key = `${copy} ${canonicalJson(value)}`;
    if (variants.has(key)) return;
    const wanted =
      copy === 1
        ? nameFor(value, variants.size + 1)
        : `${variants.get(`1 ${canonicalJson(value)}`)?.name ?? ''} ${copy}`;
    let name = wanted;
    for (let number = 2; names.has(name); number += 1) name = `${wanted}-${number}`;
    names.add(name);
    variants.set(key, { name, value });
  };
  if (defaultValue !== null) add(defaultValue, 1, [...path, 'defaultValue']);
  for (const [index, rule] of rules.entries()) {
    const at = [...path, 'rules', index];
    if ('force' in rule) add(rule.force, 1, [...at, 'force']);
    else withCopies(variationsOf(rule)).forEach(([value, copy], of) => add(value, copy, [...at, 'variations', of]));
  }
  const types = new Set([...variants.values()].map(({ value }) => typeof value));
  const [type = 'none'] = types;
  if (types.size > 1)
    throw new UnsupportedSource(path, `its values are of several types (${[...types].join(', ')}); a flag has one`);
  if (type !== 'boolean' && type !== 'string' && type !== 'number' && type !== 'object')
    throw new UnsupportedSource(path, 'it has no value but null');
  const nameOf = (value: unknown, copy = 1) => variants.get(`${copy} ${canonicalJson(value)}`)?.name ?? '';
  return {
    type,
    variants: [...variants.values()],
    fallback: defaultValue === null ? undefined : nameOf(defaultValue),
    nameOf,
    namesOf: (variations) => withCopies(variations).map(([value, copy]) => nameOf(value, copy)),
  };
}

export function variationsOf({
  contextualVariations,
  variations,
}: {
  contextualVariations?: unknown[];
  variations?: unknown[];
}) {
  return contextualVariations ?? variations ?? [];
}

/** Each value with the number of its earlier occurrences. */
function withCopies(values: readonly unknown[]): readonly (readonly [value: unknown, copy: number])[] {
  const seen = new Map<string, number>();
  return values.map((value) => {
    const key = canonicalJson(value);
    const copy = (seen.get(key) ?? 0) + 1;
    seen.set(key, copy);
    return [value, copy];
  });
}

function nameFor(value: unknown, number: number): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  const text = typeof value === 'object' ? '' : String(value);
  return text === '' || text.length > NAME_CHARS_MAX ? `value-${number}` : text;
}
