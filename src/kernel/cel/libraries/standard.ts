import { CelError } from '../cel-error.ts';
import {
  method,
  noOverload,
  overload,
  type CelFunction,
  type Library,
  FIRST_TEXT_COST,
  PATTERN_COST,
  maxOf,
} from '../functions.ts';
import { matchesPattern } from '../patterns.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  optionalOf,
  param,
  STRING,
  TIMESTAMP,
  TYPE,
  typeOf,
  UINT,
} from '../types.ts';
import {
  bigOf,
  double,
  doubleOf,
  Duration,
  durationText,
  INT_MAX,
  INT_MIN,
  int,
  isInt,
  isList,
  isMap,
  numberOf,
  readDuration,
  readTimestamp,
  sizeOfMap,
  Timestamp,
  timestamp,
  timestampText,
  typeName,
  TypeValue,
  Uint,
  uint,
  type Value,
} from '../values.ts';
import { OPERATORS } from './operators.ts';

const [A, B] = [param('A'), param('B')];

const CONVERSIONS: readonly CelFunction[] = [
  {
    name: 'int',
    overloads: [INT, UINT, DOUBLE, STRING, TIMESTAMP, DURATION].map((type) => overload([type], INT)),
    call: toInt,
    cost: FIRST_TEXT_COST,
  },
  {
    name: 'uint',
    overloads: [UINT, INT, DOUBLE, STRING].map((type) => overload([type], UINT)),
    call: toUint,
    cost: FIRST_TEXT_COST,
  },
  {
    name: 'double',
    overloads: [DOUBLE, INT, UINT, STRING].map((type) => overload([type], DOUBLE)),
    call: toDouble,
    cost: FIRST_TEXT_COST,
  },
  {
    name: 'bool',
    overloads: [BOOL, STRING].map((type) => overload([type], BOOL)),
    call: toBool,
    cost: FIRST_TEXT_COST,
  },
  {
    name: 'string',
    overloads: [STRING, BOOL, INT, UINT, DOUBLE, BYTES, TIMESTAMP, DURATION].map((type) => overload([type], STRING)),
    call: toText,
    cost: FIRST_TEXT_COST,
  },
  {
    name: 'bytes',
    // Of a character in UTF-8.
    size: ([text]) => ({ max: 4 * maxOf(text) }),
    overloads: [overload([BYTES], BYTES), overload([STRING], BYTES)],
    call: (value: Value) => {
      if (value instanceof Uint8Array) return value;
      if (typeof value === 'string') return new TextEncoder().encode(value);
      throw noOverload('bytes', value);
    },
    cost: FIRST_TEXT_COST,
  },
  {
    name: 'timestamp',
    overloads: [TIMESTAMP, STRING, INT].map((type) => overload([type], TIMESTAMP)),
    call: (value: Value) => {
      if (value instanceof Timestamp) return value;
      if (typeof value === 'string') return readTimestamp(value);
      if (isInt(value)) return timestamp(bigOf(value) * 1_000_000_000n);
      throw noOverload('timestamp', value);
    },
    cost: FIRST_TEXT_COST,
  },
  {
    name: 'duration',
    overloads: [DURATION, STRING, INT].map((type) => overload([type], DURATION)),
    call: (value: Value) => {
      if (value instanceof Duration) return value;
      if (typeof value === 'string') return readDuration(value);
      if (isInt(value)) return new Duration(bigOf(value));
      throw noOverload('duration', value);
    },
    cost: FIRST_TEXT_COST,
  },
  { name: 'dyn', overloads: [overload([A], DYN)], call: (value: Value) => value },
  { name: 'type', overloads: [overload([A], typeOf(A))], call: (value: Value) => new TypeValue(typeName(value)) },
];

const TEXT: readonly CelFunction[] = [
  {
    name: 'size',
    overloads: [STRING, BYTES, listOf(A), mapOf(A, B)].flatMap((type) => [overload([type], INT), method([type], INT)]),
    call: size,
    cost: FIRST_TEXT_COST,
  },
  onText('contains', (text, part) => text.includes(part)),
  onText('startsWith', (text, part) => text.startsWith(part)),
  onText('endsWith', (text, part) => text.endsWith(part)),
  {
    name: 'matches',
    overloads: [overload([STRING, STRING], BOOL), method([STRING, STRING], BOOL)],
    call: (text: Value, pattern: Value) => {
      if (typeof text !== 'string' || typeof pattern !== 'string') throw noOverload('matches', text, pattern);
      return matchesPattern(text, pattern);
    },
    cost: PATTERN_COST,
  },
];

function onText(name: string, holds: (text: string, part: string) => boolean): CelFunction {
  return {
    name,
    overloads: [method([STRING, STRING], BOOL)],
    call: (text: Value, part: Value) => {
      if (typeof text !== 'string' || typeof part !== 'string') throw noOverload(name, text, part);
      return holds(text, part);
    },
    cost: FIRST_TEXT_COST,
  };
}

type WallPart = (wall: Temporal.ZonedDateTime) => number;

const PARTS: Readonly<Record<string, WallPart>> = {
  getFullYear: ({ year }) => year,
  getMonth: ({ month }) => month - 1,
  getDayOfYear: ({ dayOfYear }) => dayOfYear - 1,
  getDayOfMonth: ({ day }) => day - 1,
  getDate: ({ day }) => day,
  getDayOfWeek: ({ dayOfWeek }) => dayOfWeek % 7,
  getHours: ({ hour }) => hour,
  getMinutes: ({ minute }) => minute,
  getSeconds: ({ second }) => second,
  getMilliseconds: ({ millisecond }) => millisecond,
};

/** Parts that durations have too: hours and less are totals; milliseconds what is beyond seconds. */
const DURATION_PARTS: Readonly<Record<string, (ns: bigint) => bigint>> = {
  getHours: (ns) => ns / 3_600_000_000_000n,
  getMinutes: (ns) => ns / 60_000_000_000n,
  getSeconds: (ns) => ns / 1_000_000_000n,
  getMilliseconds: (ns) => (ns / 1_000_000n) % 1_000n,
};

const TIMES: readonly CelFunction[] = Object.entries(PARTS).map(([name, partOf]) => {
  const ofDuration = DURATION_PARTS[name];
  return {
    name,
    overloads: [
      method([TIMESTAMP], INT),
      method([TIMESTAMP, STRING], INT),
      ...(ofDuration === undefined ? [] : [method([DURATION], INT)]),
    ],
    call: (value: Value, zone: Value = 'UTC') => {
      if (value instanceof Duration && ofDuration !== undefined) return int(ofDuration(value.ns));
      if (!(value instanceof Timestamp) || typeof zone !== 'string') throw noOverload(name, value, zone);
      return partOf(Temporal.Instant.fromEpochNanoseconds(value.ns).toZonedDateTimeISO(zoneIn(zone)));
    },
  };
});

/** An IANA zone, or an offset like `-02:00` and `02:00`. */
function zoneIn(text: string): string {
  const zone = /^\d\d:\d\d$/.test(text) ? `+${text}` : text;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return zone;
  } catch {
    throw new CelError(`"${text}" is no time zone like Europe/Berlin or +02:00`);
  }
}

/** Known to every expression. */
export const STANDARD: Library = {
  functions: [...OPERATORS, ...CONVERSIONS, ...TEXT, ...TIMES],
  types: {
    null_type: NULL,
    bool: BOOL,
    int: INT,
    uint: UINT,
    double: DOUBLE,
    string: STRING,
    bytes: BYTES,
    list: listOf(DYN),
    map: mapOf(DYN, DYN),
    type: TYPE,
    optional_type: optionalOf(DYN),
    'google.protobuf.Timestamp': TIMESTAMP,
    'google.protobuf.Duration': DURATION,
  },
};

function size(value: Value): Value {
  if (typeof value === 'string') return countCharacters(value);
  if (value instanceof Uint8Array || isList(value)) return value.length;
  if (isMap(value)) return sizeOfMap(value);
  throw noOverload('size', value);
}

/** Characters of Unicode. */
function countCharacters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(at + 1);
    if (next >= 0xdc00 && next <= 0xdfff) count -= 1;
  }
  return count;
}

function toInt(value: Value): Value {
  if (isInt(value)) return value;
  if (value instanceof Uint) return rangedInt(value.value);
  if (value instanceof Timestamp) return int(floorDivide(value.ns, 1_000_000_000n));
  if (value instanceof Duration) return int(value.ns);
  if (typeof value === 'string') {
    if (!/^[+-]?\d+$/.test(value)) throw new CelError(`"${value}" is no int`);
    return rangedInt(BigInt(value.replace(/^\+/, '')));
  }
  const number = doubleOf(value);
  if (number === undefined) throw noOverload('int', value);
  // The ends are excluded: as doubles they are beyond what 64 bits hold.
  if (!(number > -9223372036854775808 && number < 9223372036854775808)) throw new CelError('integer overflow: range');
  return int(BigInt(Math.trunc(number)));
}

function rangedInt(value: bigint): Value {
  if (value < INT_MIN || value > INT_MAX) throw new CelError('integer overflow: range');
  return int(value);
}

function floorDivide(value: bigint, by: bigint): bigint {
  return value >= 0n || value % by === 0n ? value / by : value / by - 1n;
}

function toUint(value: Value): Value {
  if (value instanceof Uint) return value;
  if (isInt(value)) return uint(bigOf(value));
  if (typeof value === 'string') {
    if (!/^\+?\d+$/.test(value)) throw new CelError(`"${value}" is no uint`);
    return uint(BigInt(value.replace(/^\+/, '')));
  }
  const number = doubleOf(value);
  if (number === undefined) throw noOverload('uint', value);
  if (!(number >= 0 && number < 18446744073709551616)) throw new CelError('unsigned integer overflow: range');
  return uint(BigInt(Math.trunc(number)));
}

function toDouble(value: Value): Value {
  if (typeof value === 'string') {
    const number = NAMED_DOUBLES.get(value.toLowerCase()) ?? (DECIMAL.test(value) ? Number(value) : undefined);
    if (number === undefined) throw new CelError(`"${value}" is no double`);
    return double(number);
  }
  const number = numberOf(value);
  if (number === undefined) throw noOverload('double', value);
  return double(Number(number));
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const NAMED_DOUBLES: ReadonlyMap<string, number> = new Map(
  ['nan', 'inf', '+inf', '-inf', 'infinity', '+infinity', '-infinity'].map((name) => [
    name,
    name === 'nan' ? Number.NaN : name.startsWith('-') ? -Infinity : Infinity,
  ]),
);

const TRUE = new Set(['1', 't', 'T', 'true', 'True', 'TRUE']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'False', 'FALSE']);

function toBool(value: Value): Value {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') throw noOverload('bool', value);
  if (!TRUE.has(value) && !FALSE.has(value)) throw new CelError(`Type conversion error: "${value}" is no bool`);
  return TRUE.has(value);
}

function toText(value: Value): Value {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (isInt(value)) return String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      throw new CelError('invalid UTF-8');
    }
  }
  const number = doubleOf(value);
  if (number === undefined) throw noOverload('string', value);
  return doubleText(number);
}

/** As Go's `%g` with the fewest digits. */
function doubleText(number: number): string {
  if (Number.isNaN(number)) return 'NaN';
  if (!Number.isFinite(number)) return number > 0 ? '+Inf' : '-Inf';
  if (Object.is(number, -0)) return '-0';
  const [digits = '', exponent = '0'] = number.toExponential().split('e');
  const size = Number(exponent);
  if (size < -4 || size >= 21) {
    return `${digits}e${size < 0 ? '-' : '+'}${String(Math.abs(size)).padStart(2, '0')}`;
  }
  return decimalText(number);
}

function decimalText(number: number): string {
  const text = String(number);
  if (!text.includes('e')) return text;
  return number.toFixed(20).replace(/\.?0+$/, '');
}
