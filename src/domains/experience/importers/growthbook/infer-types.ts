import { jsonPointer, type Path } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import type { AttributeKind, ImportOptions } from '../import-result.ts';
import type { GrowthbookFeature, SavedGroup } from './payload.ts';

type Sign = 'string' | 'number' | 'boolean' | 'list';

/** Uses of an attribute: the first position of each type sign. */
type Signs = Map<Sign, Path>;

/**
 * Infers attribute types from their use in conditions, as payloads do not declare them. Throws UnsupportedSource for
 * conflicting uses, which only the options can resolve.
 */
export function inferTypes(
  features: Readonly<Record<string, GrowthbookFeature>>,
  groups: Readonly<Record<string, SavedGroup>>,
  { attributes, path: at }: Pick<ImportOptions, 'attributes'> & { readonly path: Path },
): (attribute: string, path: Path) => AttributeKind {
  const found = new Map<string, Signs>();
  for (const [id, { rules = [] }] of Object.entries(features)) {
    for (const [index, { condition = {} }] of rules.entries())
      walk(condition, [...at, id, 'rules', index, 'condition']);
  }
  for (const [id, group] of Object.entries(groups)) {
    if (Array.isArray(group)) continue;
    if (group.type === 'condition') walk(group.condition, ['savedGroups', id, 'condition']);
    else if (group.attributeKey !== undefined) sign(group.attributeKey, group.values, ['savedGroups', id, 'values']);
  }
  return (attribute, path) => {
    const declared = attributes?.get(attribute);
    if (declared !== undefined) return declared;
    const signs = found.get(attribute) ?? new Map<Sign, Path>();
    const multiValued = signs.has('list') ? { multiValued: true } : {};
    const types = (['string', 'number', 'boolean'] as const).filter((type) => signs.has(type));
    const [type, other] = types;
    // Without comparisons its values may be anything that converts to text.
    if (type === undefined) return { type: 'string', loose: true, ...multiValued };
    if (other === undefined) return { type, ...multiValued };
    const places = types.map((each) => `a ${each} at ${jsonPointer(signs.get(each) ?? [])}`).join(' and ');
    throw new UnsupportedSource(
      path,
      `"${attribute}" is used as ${places}; declare it, like --attribute ${attribute}=string`,
    );
  };

  function walk(condition: unknown, path: Path): void {
    if (!isRecord(condition)) return;
    for (const [key, value] of Object.entries(condition)) {
      const at = [...path, key];
      if (key === '$savedGroup') continue;
      if (!key.startsWith('$')) sign(key, value, at);
      else if (Array.isArray(value)) for (const [index, each] of value.entries()) walk(each, [...at, index]);
      else walk(value, at);
    }
  }

  function sign(attribute: string, value: unknown, path: Path): void {
    const add = (which: Sign) => {
      const signs = found.get(attribute) ?? new Map<Sign, Path>();
      if (!signs.has(which)) signs.set(which, path);
      found.set(attribute, signs);
    };
    if (Array.isArray(value)) return value.forEach((each) => sign(attribute, each, path));
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return add(typeof value as 'string' | 'number' | 'boolean');
    if (!isRecord(value)) return;
    for (const [operator, expected] of Object.entries(value)) {
      const at = [...path, operator];
      if (['$elemMatch', '$all', '$alli', '$size'].includes(operator)) add('list');
      if (['$exists', '$type', '$size'].includes(operator)) continue;
      if (/^\$v(eq|ne|gte?|lte?)$|^\$regexi?$/.test(operator)) add('string');
      else if (operator === '$inGroup' || operator === '$notInGroup') {
        const group = groups[String(expected)];
        const values = Array.isArray(group) ? group : group?.type === 'list' ? group.values : [];
        sign(attribute, values, at);
      } else sign(attribute, expected, at);
    }
  }
}
