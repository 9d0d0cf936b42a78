import { isUtf8 } from 'node:buffer';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { Path } from '#kernel/base/failures.ts';
import { tooManyMembers, tooManyValues, type DocumentLimits } from '#kernel/kinds/schema/weight.ts';
import { malformedProtobuf, refuseNumber, refuseProto } from '../text/malformed-body.ts';
import type { Field, FieldType, Message } from './message.ts';

/** The values that were read of one document. */
export class Tally {
  readonly limits: DocumentLimits;
  #values = 0;

  constructor(limits: DocumentLimits) {
    this.limits = limits;
  }

  readonly spend = (values: number): void => {
    this.#values += values;
    if (this.#values > this.limits.valuesMax) throw tooManyValues(this.limits.valuesMax);
  };
}

/**
 * Reads a message into the JSON that Kubernetes has for it. Fields that the table does not name are skipped; a message
 * that comes in parts is merged, of single values the last one counts, as protobuf has it. Throws a Refusal that says
 * which field is wrong, or that there is too much. Recurses only as deep as the tables go.
 */
export function decodeMessage(bytes: Uint8Array, { fields, toJson }: Message, tally: Tally, path: Path = []): unknown {
  const value: Record<string, unknown> = {};
  const parts = new Map<Field, Uint8Array[]>();
  const members = new Map<Field, number>();
  const reader = new BinaryReader(bytes);
  const source: Source = { reader, tally };
  while (reader.pos < reader.len) {
    const [number, wireType] = reading(path, () => reader.tag());
    tally.spend(1);
    const field = fields.get(number);
    if (field === undefined) {
      reading(path, () => skip(reader, wireType, number));
      continue;
    }
    const at = [...path, field.name];
    requireWireType(field, wireType, at);
    if (field.form === 'one' && typeof field.type === 'object') {
      const known = parts.get(field) ?? [];
      parts.set(field, known);
      known.push(readBytes(reader, at));
      // Fields keep the order in which they came.
      value[field.name] = undefined;
    } else {
      if (field.form === 'map') countMember(field, at);
      addTo(value, field, source, at);
    }
  }
  for (const [field, chunks] of parts) {
    const [first = bytes] = chunks;
    const whole = chunks.length === 1 ? first : Buffer.concat(chunks);
    const decoded =
      typeof field.type === 'object' ? decodeMessage(whole, field.type, tally, [...path, field.name]) : undefined;
    if (decoded === undefined) delete value[field.name];
    else value[field.name] = decoded;
  }
  return toJson === undefined ? value : toJson(value, path, tally.spend);

  function countMember(field: Field, at: Path): void {
    const count = (members.get(field) ?? 0) + 1;
    members.set(field, count);
    if (count > tally.limits.membersMax) throw tooManyMembers(at, tally.limits.membersMax);
  }
}

/** The bytes of one message, and the count of what is read from all of them. */
interface Source {
  readonly reader: BinaryReader;
  readonly tally: Tally;
}

function addTo(value: Record<string, unknown>, field: Field, source: Source, at: Path): void {
  const { name, type, form } = field;
  switch (form) {
    case 'one': {
      const single = readValue(source, type, at);
      if (field.zero || !isZero(single)) value[name] = single;
      else delete value[name];
      return;
    }
    case 'list': {
      const items = (value[name] ??= []) as unknown[];
      items.push(readValue(source, type, [...at, items.length]));
      return;
    }
    case 'map': {
      const entries = (value[name] ??= {}) as Record<string, unknown>;
      const [key, item] = readValue(source, type, at) as [string, unknown];
      if (key === '__proto__') throw refuseProto([...at, key]);
      entries[key] = item;
      return;
    }
    default:
      return form satisfies never;
  }
}

function readValue({ reader, tally }: Source, type: FieldType, at: Path): unknown {
  switch (type) {
    case 'string':
      return readText(readBytes(reader, at), at);
    case 'bytes':
      return Buffer.from(readBytes(reader, at)).toString('base64');
    case 'bool':
      return BigInt(reading(at, () => reader.uint64())) !== 0n;
    case 'int32':
      return reading(at, () => reader.int32());
    case 'int64': {
      const written = reading(at, () => reader.int64());
      const number = Number(written);
      if (!Number.isSafeInteger(number)) throw refuseNumber(at, String(written));
      return number;
    }
    default:
      return decodeMessage(readBytes(reader, at), type, tally, at);
  }
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}

function requireWireType({ type }: Field, found: WireType, at: Path): void {
  const wanted = type === 'bool' || type === 'int32' || type === 'int64' ? WireType.Varint : WireType.LengthDelimited;
  if (found !== wanted) throw malformedProtobuf(at, `wire type ${found} instead of ${wanted}`);
}

/** The bytes of a field with a length. The length is read in full: one beyond 32 bits must not pass as a short one. */
function readBytes(reader: BinaryReader, at: Path): Uint8Array {
  const start = reader.pos;
  const length = BigInt(reading(at, () => reader.uint64()));
  const left = reader.len - reader.pos;
  if (length > left) throw malformedProtobuf(at, `${length} bytes are announced where ${left} are left`);
  reader.pos = start;
  return reader.bytes();
}

function readText(bytes: Uint8Array, at: Path): string {
  if (!isUtf8(bytes)) throw malformedProtobuf(at, 'text that is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function skip(reader: BinaryReader, wireType: WireType, number: number): void {
  // The reader would skip a varint of any length.
  if (wireType === WireType.Varint) reader.uint64();
  else reader.skip(wireType, number);
}

/** The reader's error about malformed bytes, as a refusal. */
function reading<Value>(at: Path, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw malformedProtobuf(at, error instanceof Error ? error.message : String(error));
  }
}
