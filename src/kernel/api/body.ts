import { Refusal, fieldPath, type Path } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { nameSuffix } from '#kernel/base/ids.ts';
import { inTurns } from '#kernel/base/turns.ts';
import { readBody, type Exchange } from '#kernel/http/exchange.ts';
import { decodeBody, YAML_FACTOR } from './codec/body.ts';
import type { DecodedText } from './codec/text/json.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { FieldValidation } from '#kernel/store/rules/operation.ts';
import { limitsWithOwners, objectLimits, withoutOwners } from '#kernel/store/rules/write.ts';
import { ITEMS_MAX, MEMBERS_MAX, refuseTooHeavy, type DocumentLimits } from '#kernel/kinds/schema/weight.ts';
import type { RequestTarget } from './request.ts';

/** The object of a request body, in the version and namespace of its path. */
export async function readObject(
  exchange: Exchange,
  kind: Kind,
  fieldValidation: FieldValidation,
): Promise<{ value: ResourceObject; warnings: readonly string[] }> {
  const { value, duplicates } = await readDocument(exchange, contentTypeOf(exchange), {
    ...limitsWithOwners(kind),
    bytesMax: kind.bodyBytesMax,
  });
  const warnings = duplicateWarnings(duplicates, fieldValidation);
  refuseTooHeavy(withoutOwners(value), objectLimits(kind));
  const given = value as Partial<ResourceObject> | null;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw resourceRefusal('not-an-object', `The body must be one ${kind.kind} object.`);
  }
  const apiVersion = given.apiVersion || kind.apiVersion;
  const name = given.kind || kind.kind;
  const metadata = given.metadata ?? {};
  if (apiVersion !== kind.apiVersion || name !== kind.kind) {
    throw resourceRefusal(
      'wrong-kind',
      `${String(apiVersion)} ${String(name)} does not match the expected ${kind.apiVersion} ${kind.kind} of this path.`,
    );
  }
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw resourceRefusal('bad-metadata', 'metadata must be an object.');
  }
  return { value: { ...given, apiVersion, kind: name, metadata } as ResourceObject, warnings };
}

export function contentTypeOf(exchange: Exchange): string | undefined {
  return exchange.request.headers['content-type'];
}

interface BodyLimits extends DocumentLimits {
  readonly bytesMax: number;
}

function limitsOf({ bodyBytesMax, bodyValuesMax }: Kind): BodyLimits {
  return { bytesMax: bodyBytesMax, valuesMax: bodyValuesMax, membersMax: MEMBERS_MAX, itemsMax: ITEMS_MAX };
}

/** The decoded body, which its sender has paid for before it is read. A large one is read in turns with other work. */
async function readDocument(
  exchange: Exchange,
  contentType: string | undefined,
  limits: BodyLimits,
): Promise<DecodedText> {
  return decodeCharged({ exchange, contentType, limits }, await readBody(exchange, limits.bytesMax));
}

/** Decodes the bytes of a body, which were charged for as JSON. */
export function decodeCharged({ exchange, contentType, limits }: BodySource, bytes: Buffer): Promise<DecodedText> {
  return inTurns(decodeBody(contentType, bytes, limits, () => exchange.chargeBody(bytes.length, YAML_FACTOR)));
}

interface BodySource {
  readonly exchange: Exchange;
  readonly contentType: string | undefined;
  readonly limits: DocumentLimits;
}

function duplicateWarnings(duplicates: readonly Path[], fieldValidation: FieldValidation): string[] {
  const messages = duplicates.map((path) => `duplicate field "${fieldPath(path)}"`);
  if (fieldValidation === 'Ignore') return [];
  if (fieldValidation === 'Warn' || messages.length === 0) return messages;
  throw resourceRefusal('duplicate-field', `strict decoding error: ${messages.join(', ')}`, {
    problems: duplicates.map((path) => ({
      path,
      reason: 'FieldValueDuplicate',
      detail: 'the key is given twice; only the last would count',
    })),
  });
}

/** Characters for the beginning of a generated name, of the 63 that a name of one part may have. */
const GENERATED_PREFIX_CHARS_MAX = 58;

/** How often another name is tried where a generated one is taken already, as in Kubernetes. */
const GENERATED_NAMES_MAX = 8;

/** Creates an object under its own name, or under a new one that begins as it wishes and that nobody has. */
export async function createNamed<Result>(
  kind: Kind,
  object: ResourceObject,
  create: (name: string) => Promise<Result>,
): Promise<Result> {
  const isGenerated = (object.metadata.name ?? '') === '';
  for (let tries = 1; ; tries++) {
    try {
      return await create(nameFor(kind, object));
    } catch (error) {
      const isTaken = error instanceof Refusal && error.reason === 'AlreadyExists';
      if (!isTaken || !isGenerated || tries >= GENERATED_NAMES_MAX) throw error;
    }
  }
}

function nameFor(kind: Kind, { metadata }: ResourceObject): string {
  const { name, generateName } = metadata;
  if (typeof name === 'string' && name !== '') return name;
  if (typeof generateName === 'string' && generateName !== '') {
    return `${generateName.slice(0, GENERATED_PREFIX_CHARS_MAX)}${nameSuffix()}`;
  }
  throw resourceRefusal('no-name', `${kind.kind} has no name: name or generateName is required`, {
    problems: [
      {
        path: ['metadata', 'name'],
        reason: 'FieldValueRequired',
        detail: 'Required value: name or generateName is required',
      },
    ],
  });
}

/** Refuses an object that names itself otherwise than the path does. */
export function requireMatch({ metadata }: ResourceObject, target: RequestTarget): void {
  const given = metadata.name ?? '';
  if (target.name !== undefined && given !== '' && given !== target.name) {
    throw resourceRefusal(
      'name-mismatch',
      `the name of the object (${given}) does not match the name on the URL (${target.name})`,
    );
  }
  const namespace = target.namespace ?? '';
  if ((metadata.namespace ?? '') !== '' && metadata.namespace !== namespace) {
    throw resourceRefusal(
      'namespace-mismatch',
      `the namespace of the provided object (${metadata.namespace}) does not match the namespace sent on the request (${namespace})`,
    );
  }
}

/** A patch document. Its media type says the kind of patch; the document itself is always JSON. */
export async function readPatch(
  exchange: Exchange,
  kind: Kind,
  fieldValidation: FieldValidation,
): Promise<{ value: unknown; warnings: readonly string[] }> {
  const { value, duplicates } = await readDocument(exchange, 'application/json', limitsOf(kind));
  return { value, warnings: duplicateWarnings(duplicates, fieldValidation) };
}
