import { setTimeout as pause } from 'node:timers/promises';
import { readText, send, type Connection } from '#kernel/api/client/http.ts';
import { CliFailure, EXIT, type Detail } from '../terminal/failure.ts';

/** A cause in a Kubernetes `Status`. */
export interface Cause {
  readonly field?: string;
  readonly message?: string;
}

/** An error answer of the resource API (a Status) or of the decision API (problem details). */
interface ErrorAnswer {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly Cause[] };
  readonly detail?: string;
  readonly remedy?: string;
  readonly errors?: readonly { readonly pointer?: string; readonly detail?: string }[];
}

/** The server refused the request. */
export class ServerRefusal extends CliFailure {
  readonly status: number;
  readonly causes: readonly Cause[];

  constructor(status: number, answer: ErrorAnswer, text: string) {
    const message =
      answer.message ?? answer.detail ?? `the server answered with status ${status}: ${text.slice(0, shownCharsMax)}`;
    const causes = answer.details?.causes ?? [];
    const errors = answer.errors ?? [];
    const details: Detail[] = [
      ...causes.map(({ field = '', message: what = '' }) => ({ where: field, what })),
      ...errors.map(({ pointer = '', detail = '' }) => ({ where: pointer, what: detail })),
    ];
    // A message about one thing repeats that thing.
    super(message, { details: details.length > 1 ? details : [], remedy: answer.remedy });
    this.status = status;
    this.causes = causes;
  }
}

const shownCharsMax = 300;
const changeMsMax = 120_000;

const BUSY_LIMITS = {
  /** Sendings of one request that the server is too busy for: none of those that it refuses so was carried out. */
  triesMax: 30,
  /** Longer than that nobody waits unasked. */
  waitSecondsMax: 10,
} as const;

/**
 * Sends a request and reads the JSON answer; waits where the server is busy and says how long (429). Throws ServerRefusal when the
 * server says no, and CliFailure with status 69 when it cannot be reached.
 */
export async function call(
  connection: Connection,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  options: {
    readonly body?: object;
    readonly accept?: string;
    /** Gets what was accepted and will surprise. */
    readonly onWarning?: (text: string) => void;
  } = {},
): Promise<unknown> {
  let { status, text, headers } = await sendOnce();
  for (let tries = 1; status === TOO_MANY && tries < BUSY_LIMITS.triesMax; tries += 1) {
    const seconds = Number(headers['retry-after']);
    if (!(seconds <= BUSY_LIMITS.waitSecondsMax)) break;
    await pause(seconds * 1_000);
    ({ status, text, headers } = await sendOnce());
  }
  if (options.onWarning !== undefined) warningsIn(headers['warning']).forEach(options.onWarning);
  const parsed = parseOr(text);
  if (status >= 200 && status < 300 && parsed !== undefined) return parsed;
  throw parseServerRefusal(status, text);

  async function sendOnce() {
    try {
      const answer = await send(connection, method, path, {
        // A change set of thousands of objects is checked and released before it is answered.
        ...(options.body && { body: JSON.stringify(options.body), answerMsMax: changeMsMax }),
        ...(options.accept && { headers: { accept: options.accept } }),
      });
      return { status: answer.statusCode ?? 0, headers: answer.headers, text: await readText(answer) };
    } catch (error) {
      throw unreachable(connection.server, error);
    }
  }
}

const TOO_MANY = 429;

/** The refusal in an answer of the server. */
export function parseServerRefusal(status: number, text: string): ServerRefusal {
  const parsed = parseOr(text);
  return new ServerRefusal(status, typeof parsed === 'object' && parsed !== null ? parsed : {}, text);
}

/** The texts of a `Warning` header: `299 - "text"`, several with commas between them. */
function warningsIn(header: string | string[] | undefined): string[] {
  const matches = [header ?? ''].flat().flatMap((one) => [...one.matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)]);
  return matches.map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(server: string, error: unknown): CliFailure {
  const { code = '', message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  const isTrust = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code);
  return new CliFailure(`cannot reach the server at ${server}: ${message || code}`, {
    exitCode: EXIT.unavailable,
    remedy: isTrust
      ? 'The certificate is not the one that this kubeconfig trusts; use the kubeconfig of the server that runs there.'
      : 'Is it running? Start it with `backline up`, or name another with --server URL.',
  });
}
