import { fieldPath, type Path, type Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';

export function malformedBody(format: 'JSON' | 'YAML', what: string, line: number, column: number): Refusal {
  return resourceRefusal('malformed-body', `This is not valid ${format}: ${what} at line ${line}, column ${column}.`);
}

export function malformedCbor(what: string): Refusal {
  return resourceRefusal('malformed-body', `This is not valid CBOR: ${what}.`);
}

export function malformedProtobuf(path: Path, what: string): Refusal {
  const where = path.length === 0 ? '' : ` in ${fieldPath(path)}`;
  return resourceRefusal('malformed-body', `This is not valid protobuf: ${what}${where}.`);
}

/** Numbers that JavaScript would round or cannot write as JSON, and keys that are not safe to keep. */
export function refuseValue(path: Path, why: string): Refusal {
  return resourceRefusal('unsupported-value', `${fieldPath(path) || 'the document'}: ${why}`, {
    problems: [{ path, reason: 'FieldValueInvalid', detail: why }],
  });
}

export function refuseNumber(path: Path, written: string): Refusal {
  return refuseValue(
    path,
    `the number ${written} cannot be kept exactly; integers go up to ${Number.MAX_SAFE_INTEGER}, larger ones must be written as text`,
  );
}

export function refuseProto(path: Path): Refusal {
  return refuseValue(path, 'a field cannot be named __proto__');
}
