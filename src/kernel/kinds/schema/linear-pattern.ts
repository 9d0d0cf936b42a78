import { RE2JS, RE2JSException } from 're2js';
import { SchemaError, type SchemaNode } from './schema-node.ts';

export const PATTERN_LIMITS = {
  /** Of a pattern that users define. */
  charsMax: 4_096,
  /** Patterns that stay compiled. */
  compiledMax: 1_000,
  /** Instructions that a pattern compiles to. */
  sizeMax: 10_000,
  /** Instructions times characters, for all patterns and texts of one object: some 100 ms. */
  unitsMax: 2_000_000,
} as const;

/** A pattern of RE2, which takes a time that grows with the text and the pattern only: those of JavaScript can take for ever. */
export interface LinearPattern {
  readonly test: (text: string) => boolean;
  /** Units that a test costs at most. */
  readonly cost: (text: string) => number;
}

const COMPILED = new Map<string, LinearPattern>();

/** Throws SchemaError for a text that is no pattern of RE2, or too large a one. Those of recent use stay compiled. */
export function linearPattern(pattern: string): LinearPattern {
  const known = COMPILED.get(pattern);
  const compiled = known ?? compileLinear(pattern);
  COMPILED.delete(pattern);
  COMPILED.set(pattern, compiled);
  const [oldest] = COMPILED.keys();
  if (COMPILED.size > PATTERN_LIMITS.compiledMax && oldest !== undefined) COMPILED.delete(oldest);
  return compiled;
}

function compileLinear(pattern: string): LinearPattern {
  if (pattern.length > PATTERN_LIMITS.charsMax) {
    throw new SchemaError(`a pattern has at most ${PATTERN_LIMITS.charsMax} characters`);
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new SchemaError(`the pattern ${JSON.stringify(pattern)} is not one of RE2: ${error.message}`);
  }
  const size = compiled.programSize();
  if (size > PATTERN_LIMITS.sizeMax) throw new SchemaError(`the pattern ${JSON.stringify(pattern)} is too large`);
  return { test: (text) => compiled.matcher(text).find(), cost: (text) => (text.length + 1) * size };
}

/** The same schema with patterns of RE2: those of users may be hostile. */
export function withLinearPatterns(node: SchemaNode): SchemaNode {
  const { additional, items, not } = node;
  return {
    ...node,
    ...(node.pattern !== undefined && { hasLinearPattern: true }),
    properties: new Map([...node.properties].map(([name, property]) => [name, withLinearPatterns(property)])),
    ...(additional && { additional: withLinearPatterns(additional) }),
    ...(items && { items: withLinearPatterns(items) }),
    ...(not && { not: withLinearPatterns(not) }),
    allOf: node.allOf.map(withLinearPatterns),
    anyOf: node.anyOf.map(withLinearPatterns),
    oneOf: node.oneOf.map(withLinearPatterns),
  };
}
