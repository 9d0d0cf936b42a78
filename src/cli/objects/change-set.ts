import type { Path } from '#kernel/base/failures.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import type { ChangeAnswer } from '#kernel/releases/kinds/change-answer.ts';
import { ServerRefusal, call, type Cause } from '../api/call.ts';
import { CliFailure } from '../terminal/failure.ts';
import type { DeclaredObject } from './manifest-files.ts';

/** Declares objects as one atomic change, or asks what that would do. A refusal names the files and lines. */
export async function sendChangeSet(
  connection: Connection,
  declared: readonly DeclaredObject[],
  options: { readonly namespace: string; readonly dryRun: boolean },
): Promise<ChangeAnswer> {
  const body = {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'ChangeSet',
    metadata: {},
    spec: { defaultNamespace: options.namespace, objects: declared.map(({ object }) => object) },
  };
  const path = `/apis/releases.backline.dev/v1/changesets${options.dryRun ? '?dryRun=All' : ''}`;
  try {
    const answer = (await call(connection, 'POST', path, { body })) as { readonly status: ChangeAnswer };
    return answer.status;
  } catch (error) {
    if (error instanceof ServerRefusal && error.causes.length > 0)
      throw refusedChange(error.causes, declared, error.message);
    throw error;
  }
}

/** A number or a word of YAML where a text belongs. */
const UNQUOTED = /must be of type string: "(integer|number|boolean)"$/;

/**
 * The refusal of a change set, with each cause at its file and line. The message of the server
 * has the remedy after its only cause, where there is one.
 */
export function refusedChange(
  causes: readonly Cause[],
  declared: readonly DeclaredObject[],
  answered = '',
  message = 'the change was refused; nothing was changed.',
): CliFailure {
  const details = causes.map(({ field = '', message = '' }) => {
    const [, position, rest = ''] = /^(?:spec\.)?objects\[(\d+)\]\.?(.*)$/s.exec(field) ?? [];
    const found = position === undefined ? undefined : declared[Number(position)];
    const what = UNQUOTED.test(message) ? `${message}; put it in quotes` : message;
    if (found === undefined) return { where: field, what };
    return { where: `${found.place(parseFieldPath(rest))}  ${rest || nameOf(found.object)}`, what };
  });
  const cause = causes[0]?.message?.replace(/\.$/, '') ?? '';
  const remedy = cause !== '' && answered.startsWith(`${cause}. `) ? answered.slice(cause.length + 2) : undefined;
  return new CliFailure(message, { details, remedy });
}

function nameOf(object: Readonly<Record<string, unknown>>): string {
  const { kind, metadata } = object;
  const name = typeof metadata === 'object' && metadata !== null && 'name' in metadata ? String(metadata.name) : '';
  return `${String(kind ?? 'object')} ${name}`.trim();
}

/** `spec.timeline[0].labels[a/b]` → its segments. */
export function parseFieldPath(text: string): Path {
  return [...text.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, inBrackets, plain = '']) => {
    if (inBrackets === undefined) return plain;
    return /^\d+$/.test(inBrackets) ? Number(inBrackets) : inBrackets;
  });
}
