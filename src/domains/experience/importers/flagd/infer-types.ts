import { jsonPointer, type Path } from '#kernel/base/failures.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import type { AttributeKind, ImportOptions, Note } from '../import-result.ts';
import type { FlagdFlag } from './definition.ts';
import { argumentsOf, operandOf, operationIn, type Operand } from './operand.ts';

/** How targeting uses an attribute; `text` accepts any value as text. */
type Sign = 'string' | 'number' | 'boolean' | 'text' | 'truth';

const COMPARISONS = ['==', '===', '!=', '!==', '<', '<=', '>', '>='];

/**
 * Infers attribute types from their use in targeting, as definitions do not declare them. Throws UnsupportedSource
 * for conflicting uses, which only the options can resolve.
 */
export function inferTypes(
  flags: Readonly<Record<string, FlagdFlag>>,
  { attributes }: Pick<ImportOptions, 'attributes'>,
  notes: Note[],
): (attribute: string, path: Path) => AttributeKind {
  const found = new Map<string, Map<Sign, Path>>();
  for (const [key, { targeting }] of Object.entries(flags)) walk(targeting, key, ['flags', key, 'targeting'], false);
  for (const [attribute, signs] of found) {
    const isGuess = [...signs.keys()].every((sign) => sign === 'truth') && attributes?.has(attribute) !== true;
    const says = `"${attribute}" is imported as a boolean, because targeting only tests its truth; otherwise declare it, like --attribute ${attribute}=string`;
    if (isGuess && attribute !== TARGETING_KEY) notes.push({ path: signs.get('truth') ?? [], says });
  }
  return (attribute, path) => {
    const declared = attributes?.get(attribute);
    if (attribute === TARGETING_KEY) return { type: 'string' };
    if (declared !== undefined) return declared;
    const signs = found.get(attribute) ?? new Map<Sign, Path>();
    const types = (['string', 'number', 'boolean'] as const).filter((type) => signs.has(type));
    const [type, other] = types;
    if (other !== undefined) {
      const places = types.map((each) => `a ${each} at ${jsonPointer(signs.get(each) ?? [])}`).join(' and ');
      throw new UnsupportedSource(
        path,
        `"${attribute}" is used as ${places}; declare it, like --attribute ${attribute}=string`,
      );
    }
    if (type !== undefined) return { type };
    return signs.has('truth') && !signs.has('text') ? { type: 'boolean' } : { type: 'string', loose: true };
  };

  function add(operand: Operand | undefined, sign: Sign, path: Path): void {
    if (operand?.kind !== 'variable') return;
    const signs = found.get(operand.name) ?? new Map<Sign, Path>();
    if (!signs.has(sign)) signs.set(sign, path);
    found.set(operand.name, signs);
  }

  function walk(logic: unknown, key: string, path: Path, isTruth: boolean): void {
    const operand = triedOperand(logic, key);
    if (operand !== undefined) {
      if (isTruth) add(operand, 'truth', path);
      return;
    }
    const operation = operationIn(logic);
    if (operation === undefined) return;
    const { operator, input } = operation;
    const at = [...path, operator];
    const parts = argumentsOf(input);
    const operands = parts.map((part) => triedOperand(part, key));
    if (COMPARISONS.includes(operator)) {
      for (const one of operands) for (const other of operands) addLike(one, other, at);
    } else if (operator === 'in') {
      const [needle, haystack] = operands;
      addLike(needle, haystack, at);
      add(haystack, 'string', at);
    } else if (operator === 'starts_with' || operator === 'ends_with') {
      for (const one of operands) add(one, 'string', at);
    } else if (operator === 'sem_ver') {
      for (const one of operands) add(one, 'text', at);
    } else if (operator === 'fractional') {
      const [by] = parts;
      const { operator: how, input: what } = operationIn(by) ?? {};
      if (how === 'cat') for (const part of argumentsOf(what)) add(triedOperand(part, key), 'text', at);
      else add(operands[0], 'string', at);
    } else {
      const isCondition = (index: number) =>
        ['and', 'or', '!', '!!', 'not'].includes(operator) ||
        (['if', '?:'].includes(operator) && index % 2 === 0 && index < parts.length - 1);
      for (const [index, part] of parts.entries()) walk(part, key, [...at, index], isCondition(index));
    }
  }

  /** A variable has the type of the constants that it is compared with. */
  function addLike(one: Operand | undefined, other: Operand | undefined, path: Path): void {
    const values = other?.kind === 'constant' ? [other.value] : other?.kind === 'list' ? other.values : [];
    for (const value of values) {
      const type = typeof value;
      if (type === 'string' || type === 'number' || type === 'boolean') add(one, type, path);
    }
  }
}

/** The translation reports untranslatable operands later. */
function triedOperand(logic: unknown, key: string): Operand | undefined {
  try {
    return operandOf(logic, key, []);
  } catch (error) {
    if (error instanceof UnsupportedSource) return undefined;
    throw error;
  }
}
