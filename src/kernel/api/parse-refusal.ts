import type { IncomingMessage } from 'node:http';
import { Refusal, type Path, type Problem, type Reason, type RefusalCode } from '#kernel/base/failures.ts';

/** The header with the permanent code of a refusal, for which a `Status` has no place. */
export const REFUSAL_CODE = 'backline-refusal';

interface FailureStatus {
  readonly reason?: Reason;
  readonly message?: string;
  readonly details?: {
    readonly causes?: readonly {
      readonly reason: Problem['reason'];
      readonly message: string;
      readonly field: string;
    }[];
    readonly retryAfterSeconds?: number;
  };
}

/** The refusal that a server's `Status` tells of; any other error when it is none. `answer` is absent within a watch. */
export function parseRefusal(text: string, answer?: Pick<IncomingMessage, 'headers' | 'statusCode'>): Error {
  const status = statusOf(text);
  if (status?.reason === undefined) {
    return new Error(`the API server answered with status ${answer?.statusCode ?? '?'}: ${text.slice(0, 200)}`);
  }
  const { reason, message = reason, details = {} } = status;
  const code = answer?.headers[REFUSAL_CODE];
  return new Refusal(typeof code === 'string' ? (code as RefusalCode) : codeOf(reason), reason, message, {
    problems: (details.causes ?? []).map((cause) => ({
      path: parseFieldPath(cause.field),
      reason: cause.reason,
      detail: cause.message,
    })),
    ...(details.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: details.retryAfterSeconds }),
  });
}

function statusOf(text: string): FailureStatus | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    // Not a Status: whatever stands between us and the server answered.
    return undefined;
  }
}

/** Events of a watch come without a header; what they can tell is little. */
function codeOf(reason: Reason): RefusalCode {
  switch (reason) {
    case 'Expired':
      return 'resources/expired';
    case 'Timeout':
      return 'resources/version-too-large';
    default:
      return 'resources/refused';
  }
}

/** The reverse of `fieldPath`: `spec.timeline[1].from`, `metadata.labels[a/b]`. */
export function parseFieldPath(text: string): Path {
  return [...text.matchAll(/\[([^\]]*)\]|[^.[]+/g)].map(([segment, bracketed]) => {
    if (bracketed === undefined) return segment;
    return /^\d+$/.test(bracketed) ? Number(bracketed) : bracketed;
  });
}
