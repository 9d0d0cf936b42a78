/**
 * One thing that is wrong with a document: where, what, and why it was refused.
 * `path` leads from the root of the document; a string is a field or a map key, a number an index.
 */
export interface Problem {
  readonly path: Path;
  /** Kubernetes' cause reasons, so that the resource API can pass it on as it is. */
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueDuplicate'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueNotFound'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
    /** The path has the path elements of managed fields. */
    | 'FieldManagerConflict'
    | 'ResourceVersionTooLarge';
  /** A sentence that says what was wrong, with the values, and what would be right. Does not repeat the path. */
  readonly detail: string;
  /** Another object that `detail` names, by `Kind.id` and name. A caller that may not read it gets `instead`. */
  readonly about?: { readonly kind: string; readonly name: string; readonly instead: string };
}

export type Path = readonly (string | number)[];

/** The class of a refusal, in the words of the Kubernetes API; the HTTP status follows from it. */
export const STATUS_OF_REASON = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  MisdirectedRequest: 421,
  Invalid: 422,
  TooManyRequests: 429,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type Reason = keyof typeof STATUS_OF_REASON;

/**
 * The codes of all registries: each adds its own by declaration merging, see `refusals.ts`.
 * @public
 */
export interface RefusalCodes {}

export type RefusalCode = keyof RefusalCodes;

/** Parts of a refusal beside its sentence. */
export interface RefusalDetails {
  readonly problems?: readonly Problem[];
  readonly remedy?: string;
  readonly retryAfterSeconds?: number;
  readonly subject?: string;
  readonly allow?: readonly string[];
}

/**
 * A request that is refused on purpose. It says what was wrong, where, and what would be right.
 * Anything else that is thrown is a bug of ours.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** Permanent and documented, e.g. `resources/not-found`: programs may depend on it. */
  readonly code: RefusalCode;
  readonly reason: Reason;
  readonly problems: readonly Problem[];
  /** A sentence that says what the caller can do. */
  readonly remedy: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** The object that is meant, where the request itself does not name it. */
  readonly subject: string | undefined;
  /** The methods that are right, where the method was wrong. */
  readonly allow: readonly string[] | undefined;

  /** Made by a registry (`defineRefusals`), or from the answer of another process. */
  constructor(code: RefusalCode, reason: Reason, message: string, more: RefusalDetails = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.problems = more.problems ?? [];
    this.remedy = more.remedy;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.subject = more.subject;
    this.allow = more.allow;
  }

  get status(): number {
    return STATUS_OF_REASON[this.reason];
  }
}

/** The deadline of a request has passed. */
export class DeadlineError extends Refusal {
  /** Whether work of the request left a queue before it began. */
  hasLeftQueue = false;
  /** Whether other work of it was taken from a queue, and so carried out. */
  wasTaken = false;

  /** Whether nothing of the request was done. */
  get wasUndone(): boolean {
    return this.hasLeftQueue && !this.wasTaken;
  }
}

/**
 * Something outside that is needed does not answer, or cannot do this for now: neither the caller's fault nor a bug. At
 * the edge it becomes a refusal with 503.
 */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  readonly code: RefusalCode;
  /** No answer came: whatever was asked for may still be done. */
  readonly isSilent: boolean;

  constructor(
    code: RefusalCode,
    message: string,
    more: { readonly cause?: unknown; readonly isSilent?: boolean } = {},
  ) {
    super(message, { cause: more.cause });
    this.code = code;
    this.isSilent = more.isSilent ?? false;
  }
}

/** The refusal that a caller gets: the error itself, or 503 when something is away; undefined for a bug. */
export function refusalIn(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (!(error instanceof Unavailable)) return undefined;
  return new Refusal(error.code, 'ServiceUnavailable', error.message, {
    retryAfterSeconds: 1,
    remedy: 'Try again in a moment; what has a key of its own is done once however often it is sent.',
  });
}

const PLAIN_SEGMENT = /^[A-Za-z_$][\w$]*$/;

/** A path as Kubernetes writes it: `spec.timeline[1].from`, `metadata.labels[a/b]`. */
export function fieldPath(path: Path): string {
  let text = '';
  for (const segment of path) {
    if (typeof segment === 'string' && PLAIN_SEGMENT.test(segment)) text += text === '' ? segment : `.${segment}`;
    else text += `[${segment}]`;
  }
  return text;
}

/** A path as RFC 6901 writes it: `/spec/timeline/1/from`. */
export function jsonPointer(path: Path): string {
  return path.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
