import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** A request to somebody else's server, and how much of an answer is taken. */
export interface Outgoing {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the name of the server to the last byte of its answer. */
  readonly msMax: number;
  readonly bytesMax: number;
  /** PEM of the authority that signed its certificate; absent: those of the system. */
  readonly ca?: string;
  /** The name that its certificate is for, where it is not that of the URL. */
  readonly serverName?: string;
  readonly signal?: AbortSignal;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** Whether there was more than was taken. */
  readonly isCut: boolean;
}

/** That there was no answer. Its message names neither the URL nor anything that was sent. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** Sends one request and reads its answer; redirects are not followed. Throws Unanswered. */
export async function ask(outgoing: Outgoing): Promise<Answered> {
  const { method, url, headers, body, msMax, bytesMax, ca, serverName, signal } = outgoing;
  const deadline = AbortSignal.timeout(msMax);
  const ended = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    return await new Promise((resolve, reject) => {
      const isSecure = new URL(url).protocol === 'https:';
      const sent = (isSecure ? httpsRequest : httpRequest)(
        url,
        {
          method,
          agent: false,
          headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
          signal: ended,
          ...(ca === undefined ? {} : { ca }),
          ...(serverName === undefined ? {} : { servername: serverName }),
        },
        (answer) => void readAnswer(answer, bytesMax).then(resolve, reject),
      );
      sent.once('error', reject);
      sent.end(body);
    });
  } catch (error) {
    if (deadline.aborted) throw new Unanswered(`it did not answer in ${msMax / 1_000} s`);
    throw new Unanswered(`it cannot be reached (${codeOf(error)})`);
  }
}

async function readAnswer(answer: IncomingMessage, bytesMax: number): Promise<Answered> {
  const { statusCode: status = 0, headers } = answer;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > bytesMax) {
      answer.destroy();
      break;
    }
  }
  const text = Buffer.concat(chunks).subarray(0, bytesMax).toString();
  return { status, headers, text, isCut: bytes > bytesMax };
}

/** `ECONNREFUSED`, `CERT_HAS_EXPIRED`: what the platform calls it. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
