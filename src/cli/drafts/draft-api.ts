import type { Connection } from '#kernel/api/client/http.ts';
import { encodeYaml } from '#kernel/api/codec/body.ts';
import type { DraftPublicationStatus, DraftValidationStatus } from '#kernel/releases/kinds/draft-answer.ts';
import { pause, systemTime } from '#kernel/base/time.ts';
import { call, ServerRefusal } from '../api/call.ts';
import type { ConnectionOptions } from '../api/connection.ts';
import { stopSignal } from '../terminal/stop-signal.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';

export const API_VERSION = 'releases.backline.dev/v1';

/** Sendings of one publication: it is carried out once, however often it arrives. */
const TRIES_MAX = 5;
const PAUSE_MS = 500;

/** Options of verbs about one draft. */
export interface DraftOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly output?: 'json' | 'yaml';
}

interface DraftedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly resourceVersion?: string };
}

export interface DraftObject {
  readonly apiVersion: string;
  readonly kind: 'Draft';
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  readonly spec: {
    readonly title?: string;
    readonly account?: string;
    readonly objects: readonly DraftedObject[];
  };
}

/** The path of drafts, or of one of them. Without a namespace: in all of them. */
export function draftPath(namespace: string | undefined, name?: string): string {
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `/apis/${API_VERSION}${scope}/drafts${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

export async function readDraft(connection: Connection, path: string): Promise<DraftObject> {
  return (await call(connection, 'GET', path)) as DraftObject;
}

export async function validateDraft(connection: Connection, path: string): Promise<DraftValidationStatus> {
  const body = { apiVersion: API_VERSION, kind: 'DraftValidation', metadata: {} };
  const answer = (await call(connection, 'POST', `${path}/validate`, { body })) as { status: DraftValidationStatus };
  return answer.status;
}

/** Publishes a draft. An answer that gets lost is asked for again. */
export async function publishDraft(
  connection: Connection,
  path: string,
  spec: { readonly uid: string; readonly resourceVersion?: string },
): Promise<DraftPublicationStatus> {
  const body = { apiVersion: API_VERSION, kind: 'DraftPublication', metadata: {}, spec };
  using stop = stopSignal();
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = (await call(connection, 'POST', `${path}/publish`, { body })) as {
        status: DraftPublicationStatus;
      };
      return answer.status;
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      if (tries >= TRIES_MAX || stop.signal.aborted) throw unknownOutcome(error, spec.uid);
      await pause(systemTime, PAUSE_MS, stop.signal);
    }
  }
}

/** Whether the server may have carried it out all the same. */
function isUnanswered(error: unknown): error is CliFailure {
  if (error instanceof ServerRefusal) return error.status >= 500;
  return error instanceof CliFailure && error.exitCode === EXIT.unavailable;
}

function unknownOutcome({ message, exitCode }: CliFailure, uid: string): CliFailure {
  return new CliFailure(`${message}; whether the draft was published is not known.`, {
    exitCode,
    remedy: `Repeat it, which publishes it at most once: backline draft publish NAME --uid ${uid}`,
  });
}

/** An answer for programs; undefined where none was asked for. */
export function documentText(output: DraftOptions['output'], answer: object): string | undefined {
  if (output === undefined) return undefined;
  return output === 'json' ? JSON.stringify(answer, null, 2) : encodeYaml(answer).trimEnd();
}
