import { method, noOverload, type Library, PATTERN_COST, maxOf } from '../functions.ts';
import { compilePattern } from '../patterns.ts';
import { INT, listOf, STRING } from '../types.ts';
import { isInt, type Value } from '../values.ts';

/** Parts of a text that match a pattern. */
export const REGEX: Library = {
  functions: [
    {
      name: 'find',
      overloads: [method([STRING, STRING], STRING)],
      call: (text: Value, pattern: Value) => findAll('find', text, pattern, 1)[0] ?? '',
      cost: PATTERN_COST,
    },
    {
      name: 'findAll',
      overloads: [method([STRING, STRING], listOf(STRING)), method([STRING, STRING, INT], listOf(STRING))],
      size: ([text]) => ({ max: maxOf(text) + 1, item: { max: maxOf(text) } }),
      call: (text: Value, pattern: Value, limit: Value = -1) => {
        if (!isInt(limit)) throw noOverload('findAll', text, pattern, limit);
        return findAll('findAll', text, pattern, Number(limit));
      },
      cost: PATTERN_COST,
    },
  ],
};

/** @param limit below 0: all */
function findAll(name: string, text: Value, pattern: Value, limit: number): readonly string[] {
  if (typeof text !== 'string' || typeof pattern !== 'string') throw noOverload(name, text, pattern);
  const matcher = compilePattern(pattern).matcher(text);
  const found: string[] = [];
  while (found.length !== limit && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}
