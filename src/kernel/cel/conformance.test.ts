import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CelError } from './cel-error.ts';
import { compileCel } from './cel.ts';
import { method, overload, type CelFunction } from './functions.ts';
import { ENCODERS } from './libraries/encoders.ts';
import { MATH } from './libraries/math.ts';
import { NETWORK } from './libraries/network.ts';
import { OPTIONALS } from './libraries/optionals.ts';
import { STANDARD } from './libraries/standard.ts';
import { STRINGS } from './libraries/strings.ts';
import { namesOf } from './scope.ts';
import { archivedCases, packagedCases, type CelCase, type Json } from './testing/cases.ts';
import * as types from './types.ts';
import {
  CelMap,
  double,
  doubleOf,
  int,
  isEqual,
  readDuration,
  readTimestamp,
  typeName,
  TypeValue,
  uint,
  type Value,
} from './values.ts';

const LIBRARIES = [STANDARD, OPTIONALS, STRINGS, MATH, ENCODERS, NETWORK];
const NAMES = namesOf(LIBRARIES);

/** Of a case that only protobuf messages make sense of. */
class NeedsProtobuf extends Error {}

/** Message types by which such cases are known; without a namespace, those of google.protobuf. */
const MESSAGES =
  /TestAllTypes|TestRequired|GlobalEnum|NestedTestAll|google\.(?:protobuf|api)\.(?!Timestamp\b|Duration\b)|\b(?:Bool|Bytes|Double|Float|Int32|Int64|String|UInt32|UInt64)Value\{|\b(?:Value|Struct|ListValue|Any)\{|proto\.(?:getExt|hasExt)/;

/** Public test data, which is not part of the project; the folder has `cel-spec-cases.tar.gz`. */
const DATA = process.env['BACKLINE_TEST_DATA'];

test('CEL does what the conformance suite says: all cases of the package without protobuf', () => {
  assert.deepEqual(wrongIn(packagedCases()), { failures: [], run: 1_646 });
});

test(
  'CEL does what the conformance suite of June 2026 says: all cases without protobuf',
  { skip: DATA === undefined ? 'SKIPPED: BACKLINE_TEST_DATA names no folder with cel-spec-cases.tar.gz' : false },
  () => {
    assert.deepEqual(wrongIn(archivedCases(join(DATA ?? '', 'cel-spec-cases.tar.gz'))), { failures: [], run: 1_738 });
  },
);

function wrongIn(cases: readonly CelCase[]): { readonly failures: readonly string[]; readonly run: number } {
  const failures: string[] = [];
  let run = 0;
  for (const one of cases) {
    const result = judge(one);
    if (result === 'needs protobuf') continue;
    run += 1;
    if (result !== 'right') failures.push(`${one.file}/${one.name}: ${one.expr}: ${result}`);
  }
  return { failures, run };
}

/** `right`, `needs protobuf`, or what is wrong. */
function judge(one: CelCase): string {
  try {
    return MESSAGES.test(one.expr) || MESSAGES.test(one.content.container ?? '')
      ? 'needs protobuf'
      : (faultOf(one) ?? 'right');
  } catch (error) {
    if (error instanceof NeedsProtobuf) return 'needs protobuf';
    throw error;
  }
}

function faultOf({ expr, type, content, file }: CelCase): string | undefined {
  const { evalError, anyEvalErrors, unknown, typedResult, disableCheck = false, checkOnly = false } = content;
  const isFailing = evalError !== undefined || anyEvalErrors !== undefined || unknown !== undefined;
  const environment = environmentOf(content);
  const { program, problems } = compileCel(expr, { ...environment, isLenient: disableCheck });
  if (problems !== undefined) return isFailing ? undefined : (problems[0]?.message ?? 'a problem');
  const expectedType = typedResult?.deducedType === undefined ? type : types.typeText(typeIn(typedResult.deducedType));
  const found = types.typeText(program.type);
  // Values of a block are `dyn` to cel-go.
  const isKnown = expectedType === undefined || disableCheck || file === 'block_ext';
  if (!isKnown && expectedType.replace(/, */g, ', ') !== found) return `its type is ${found}, not ${expectedType}`;
  if (checkOnly) return undefined;
  let value: Value;
  try {
    value = program.run(valuesOf(content));
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return isFailing ? undefined : `it fails: ${error.message}`;
  }
  if (isFailing) return 'it does not fail';
  const expected = valueIn(content.value ?? typedResult?.result ?? { boolValue: true });
  if (Number.isNaN(doubleOf(expected) ?? 0) && Number.isNaN(doubleOf(value) ?? 0)) return undefined;
  const isSame = typeName(value) === typeName(expected) && isEqual(value, expected);
  return isSame ? undefined : `it is ${typeName(value)} ${String(value)}`;
}

function environmentOf({ typeEnv = [], bindings = {}, container }: Json): Parameters<typeof compileCel>[1] {
  const variables: Record<string, types.CelType> = {};
  const functions: CelFunction[] = [];
  for (const { name, ident, function: declared } of typeEnv) {
    if (declared === undefined) variables[name] = typeIn(ident.type);
    else functions.push(functionIn(name, declared));
  }
  for (const name of Object.keys(bindings)) variables[name] ??= types.DYN;
  const libraries = functions.length === 0 ? NAMES : namesOf([...LIBRARIES, { functions }]);
  return { variables, libraries, container };
}

function functionIn(name: string, { overloads }: Json): CelFunction {
  return {
    name,
    overloads: overloads.map(({ isInstanceFunction = false, params = [], resultType }: Json) =>
      (isInstanceFunction ? method : overload)(params.map(typeIn), typeIn(resultType)),
    ),
    call: () => {
      throw new CelError('unbound function');
    },
  };
}

function valuesOf({ bindings = {} }: Json): Record<string, Value> {
  return Object.fromEntries(Object.entries<Json>(bindings).map(([name, { value }]) => [name, valueIn(value)]));
}

/** The one field of a message. */
function onlyOf(json: Json): { readonly kind: string; readonly content: Json } {
  const [kind = ''] = Object.keys(json);
  return { kind, content: json[kind] };
}

function valueIn(json: Json): Value {
  const { kind, content } = onlyOf(json);
  switch (kind) {
    case 'nullValue':
      return null;
    case 'boolValue':
    case 'stringValue':
      return content;
    case 'int64Value':
      return int(BigInt(content));
    case 'uint64Value':
      return uint(BigInt(content));
    case 'doubleValue':
      return double(Number(content));
    case 'bytesValue':
      return Uint8Array.from(Buffer.from(content, 'base64'));
    case 'typeValue':
      return new TypeValue(content);
    case 'listValue':
      return (content.values ?? []).map(valueIn);
    case 'mapValue': {
      const map = new CelMap();
      for (const { key, value } of content.entries ?? []) map.add(valueIn(key), valueIn(value));
      return map;
    }
    case 'objectValue':
      if (content['@type']?.endsWith('.Timestamp')) return readTimestamp(content.value);
      if (content['@type']?.endsWith('.Duration')) return readDuration(content.value);
  }
  throw new NeedsProtobuf(kind);
}

const PRIMITIVES: Readonly<Record<string, types.CelType>> = {
  BOOL: types.BOOL,
  INT64: types.INT,
  UINT64: types.UINT,
  DOUBLE: types.DOUBLE,
  STRING: types.STRING,
  BYTES: types.BYTES,
};

function typeIn(json: Json): types.CelType {
  const { kind, content } = onlyOf(json);
  const known = PRIMITIVES[content];
  if (kind === 'primitive' && known !== undefined) return known;
  if (kind === 'wrapper' && known !== undefined) return { is: 'wrapper', of: known };
  if (kind === 'null') return types.NULL;
  if (kind === 'dyn') return types.DYN;
  if (kind === 'typeParam') return types.param(content);
  if (kind === 'listType') return types.listOf(content.elemType === undefined ? types.DYN : typeIn(content.elemType));
  if (kind === 'mapType') return types.mapOf(typeIn(content.keyType), typeIn(content.valueType));
  if (kind === 'wellKnown' && content === 'TIMESTAMP') return types.TIMESTAMP;
  if (kind === 'wellKnown' && content === 'DURATION') return types.DURATION;
  if (kind === 'type') return Object.keys(content).length === 0 ? types.TYPE : types.typeOf(typeIn(content));
  if (kind === 'abstractType' && content.name === 'optional_type') {
    return types.optionalOf(typeIn(content.parameterTypes[0]));
  }
  throw new NeedsProtobuf(kind);
}
