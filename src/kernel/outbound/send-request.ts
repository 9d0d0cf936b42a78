import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';

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

export interface OutboundAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** Whether there was more than was taken. */
  readonly isCut: boolean;
}

/** An address that a name was resolved to. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Sends one request to these addresses and no others, and reads the answer. Redirects are not followed. */
export function sendRequest(
  url: URL,
  addresses: readonly ResolvedAddress[],
  { method, headers, body, bytesMax, ca, serverName }: Outgoing,
  signal: AbortSignal,
): Promise<OutboundAnswer> {
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
      url,
      {
        method,
        agent: false,
        lookup: pinAddresses(addresses),
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
        signal,
        ...(ca === undefined ? {} : { ca }),
        ...(serverName === undefined ? {} : { servername: serverName }),
      },
      (answer) => void readAnswer(answer, bytesMax).then(resolve, reject),
    );
    sent.once('error', reject);
    sent.end(body);
  });
}

/** Answers lookups with the addresses that were checked: a second lookup could find another address. */
function pinAddresses(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_host, options, found) => {
    const [first] = addresses;
    if (first === undefined) found(new Error('no address'), '', 0);
    else if (options.all === true) found(null, [...addresses]);
    else found(null, first.address, first.family);
  };
}

async function readAnswer(answer: IncomingMessage, bytesMax: number): Promise<OutboundAnswer> {
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
