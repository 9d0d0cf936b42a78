import { add, below, lazyCheck, type Check } from './findings.ts';
import { getOwn, isObject } from './own.ts';
import { invalid, invalidInBody, requiredProblem, tooMany } from './problems.ts';
import type { SchemaNode } from './schema-node.ts';
import { compilePattern } from './validate-scalar.ts';

/**
 * Checks of objects: required fields, fields, keys and values of maps, number of fields. Fields that the schema does not
 * know are not its business: they were pruned.
 */
export function checkObject(node: SchemaNode, compile: (node: SchemaNode) => Check): Check | undefined {
  const { minProperties = 0, maxProperties = Infinity } = node;
  const fields = [...node.properties].map(([name, property]) => ({ name, check: lazyCheck(property, compile) }));
  const wanted = [...new Set(node.embedded ? [...node.required, 'apiVersion', 'kind'] : node.required)];
  const checkOther = node.additional && lazyCheck(node.additional, compile);
  const keyPattern = node.keyPattern === undefined ? undefined : compilePattern(node.keyPattern);
  const counts = minProperties > 0 || maxProperties < Infinity;
  if (fields.length + wanted.length === 0 && checkOther === undefined && !counts) return undefined;
  return (value, findings) => {
    if (!isObject(value)) return;
    for (const name of wanted) {
      if (getOwn(value, name) === undefined) add(findings, requiredProblem([...findings.path, name]));
    }
    for (const { name, check } of fields) {
      const field = getOwn(value, name);
      if (field !== undefined) below(findings, name, check, field);
    }
    if (counts) {
      const count = Object.keys(value).length;
      if (count > maxProperties) add(findings, tooMany([...findings.path], count, maxProperties));
      if (count < minProperties) {
        add(findings, invalidInBody([...findings.path], count, `should have at least ${minProperties} properties`));
      }
    }
    if (checkOther === undefined) return;
    for (const key of Object.keys(value)) {
      if (node.properties.has(key)) continue;
      if (keyPattern !== undefined && !keyPattern.test(key)) {
        add(findings, invalid([...findings.path, key], key, `the key should match '${node.keyPattern ?? ''}'`));
      }
      below(findings, key, checkOther, value[key]);
    }
  };
}
