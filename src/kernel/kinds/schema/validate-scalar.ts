import { add, type Check, type Findings } from './findings.ts';
import { FORMATS, INTEGER_RANGES } from './formats.ts';
import { linearPattern, type LinearPattern } from './linear-pattern.ts';
import { invalidInBody, tooLong, typeInvalid } from './problems.ts';
import { SchemaError, type SchemaNode } from './schema-node.ts';

/** Checks text: length in characters, pattern, format. Other values pass. */
export function checkString(node: SchemaNode): Check | undefined {
  const { minLength = 0, maxLength = Infinity } = node;
  const pattern = node.pattern === undefined ? undefined : patternOf(node.pattern, node.hasLinearPattern === true);
  const format = node.format === undefined ? undefined : FORMATS.get(node.format);
  if (pattern === undefined && format === undefined && minLength === 0 && maxLength === Infinity) return undefined;
  return (value, findings) => {
    if (typeof value !== 'string') return;
    const path = findings.path;
    if (value.length > maxLength && charCount(value) > maxLength) {
      add(findings, tooLong([...path], `may not be longer than ${maxLength}`));
    }
    if (value.length < minLength * 2 && charCount(value) < minLength) {
      add(findings, invalidInBody([...path], value, `should be at least ${minLength} chars long`));
    }
    if (pattern !== undefined && isSpent(findings, pattern.cost(value))) {
      add(
        findings,
        invalidInBody([...path], value, 'cannot be held against its pattern: the object has too much text for that'),
      );
    } else if (pattern !== undefined && !pattern.test(value)) {
      add(findings, invalidInBody([...path], value, `should match '${node.pattern ?? ''}'`));
    }
    if (format !== undefined && !format(value)) {
      add(findings, typeInvalid([...path], node.format ?? '', value));
    }
  };
}

function patternOf(pattern: string, isLinear: boolean): LinearPattern {
  // Compiled when a value is first tested: a schema may have thousands.
  if (isLinear)
    return { test: (text) => linearPattern(pattern).test(text), cost: (text) => linearPattern(pattern).cost(text) };
  const own = compilePattern(pattern);
  return { test: (text) => own.test(text), cost: () => 0 };
}

/** Whether an object has used up what its patterns may cost. */
function isSpent({ left }: Findings, units: number): boolean {
  left.patternUnits -= units;
  return left.patternUnits < 0;
}

function charCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

export function compilePattern(pattern: string): RegExp {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(pattern, flags);
    } catch {
      // Patterns that escape more than Unicode mode allows are valid without it.
    }
  }
  throw new SchemaError(`the pattern ${JSON.stringify(pattern)} is not a regular expression`);
}

/** Checks numbers: bounds, step, the range of the integer type. Other values pass. */
export function checkNumber(node: SchemaNode): Check | undefined {
  const { exclusiveMinimum, exclusiveMaximum, multipleOf } = node;
  const isInteger = node.type === 'integer' || node.intOrString;
  const [lowest, highest] = isInteger
    ? (INTEGER_RANGES.get(node.format ?? 'int64') ?? [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])
    : [-Infinity, Infinity];
  const minimum = Math.max(node.minimum ?? -Infinity, lowest);
  const maximum = Math.min(node.maximum ?? Infinity, highest);
  if (!isInteger && node.type !== 'number' && node.type !== undefined) return undefined;
  return (value, findings) => {
    if (typeof value !== 'number') return;
    const report = (rule: string): void => add(findings, invalidInBody([...findings.path], value, rule));
    if (value < minimum) report(`should be greater than or equal to ${minimum}`);
    if (value > maximum) report(`should be less than or equal to ${maximum}`);
    if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
      report(`should be greater than ${exclusiveMinimum}`);
    if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) report(`should be less than ${exclusiveMaximum}`);
    if (multipleOf !== undefined && !isMultiple(value, multipleOf)) report(`should be a multiple of ${multipleOf}`);
  };
}

/** Binary fractions make 0.3 / 0.1 = 2.9999999999999996: a quotient this close to a whole number counts as one. */
const quotientTolerance = 1e-9;

function isMultiple(value: number, step: number): boolean {
  const quotient = value / step;
  return Math.abs(quotient - Math.round(quotient)) <= quotientTolerance * Math.max(1, Math.abs(quotient));
}
