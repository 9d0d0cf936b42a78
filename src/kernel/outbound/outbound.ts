import { lookup } from 'node:dns/promises';
import { Counter, type Registry } from 'prom-client';
import type { Log } from '#kernel/base/log.ts';
import { gauge } from '#kernel/http/metrics.ts';
import { isAddress, nameOf, refusedRange, type AllowedHosts } from './address-policy.ts';
import { sendRequest, type OutboundAnswer, type Outgoing, type ResolvedAddress } from './send-request.ts';
import { Turns } from './turns.ts';

const LIMITS = {
  /** Requests at a time, in all and to one host: a slow host keeps room from nobody else. */
  underWayMax: 512,
  underWayOfHostMax: 32,
  /** Requests that wait for their turn, each until its own time is over. */
  waitingMax: 10_000,
} as const;

/** The declared object that causes a request. */
interface Cause {
  readonly kind: string;
  readonly name: string;
}

/** That there was no answer. Its message names neither the URL nor anything that was sent. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
}

/**
 * The one door for requests that declared objects cause. A host is resolved once, and the request goes to the addresses that
 * were found: loopback, link-local, metadata and private ones are refused unless the server's configuration allows them.
 */
export interface Outbound {
  /** Sends one request and reads its answer; redirects are not followed. Throws OutboundError. */
  readonly ask: (cause: Cause, outgoing: Outgoing) => Promise<OutboundAnswer>;
}

export function openOutbound(parts: {
  readonly allowed: AllowedHosts;
  readonly log: Log;
  readonly registry: Registry;
  /** Instead of the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly ResolvedAddress[]>;
}): Outbound {
  const { allowed, registry, resolve = resolveWithSystem } = parts;
  const turns = new Turns(LIMITS);
  const counted = new Counter({
    name: 'backline_outbound_requests_total',
    help: 'Requests to other servers that declared objects caused, by kind of object: answered, unanswered or refused.',
    labelNames: ['kind', 'outcome'] as const,
    registers: [registry],
  });
  gauge(
    registry,
    'backline_outbound_requests_under_way',
    'Requests to other servers that are not answered yet.',
    () => turns.underWay,
  );

  return {
    ask: async (cause, outgoing) => {
      const { kind, name } = cause;
      const beganMs = performance.now();
      const log = parts.log.child({ kind, object: name });
      const url = urlOf(outgoing.url);
      const host = nameOf(url.hostname);
      const deadline = AbortSignal.timeout(outgoing.msMax);
      const signal = outgoing.signal === undefined ? deadline : AbortSignal.any([deadline, outgoing.signal]);
      try {
        const answered = await askInTurn(url, host, outgoing, signal);
        counted.inc({ kind, outcome: 'answered' });
        log.debug({ host, status: answered.status, ms: performance.now() - beganMs }, 'outbound: answered');
        return answered;
      } catch (error) {
        if (error instanceof RefusedHost) {
          counted.inc({ kind, outcome: 'refused' });
          log.warn({ host, address: error.address, range: error.range }, 'outbound: request refused, private address');
          throw error;
        }
        counted.inc({ kind, outcome: 'unanswered' });
        const unanswered = toldAs(error, deadline, outgoing.msMax);
        log.debug({ host, error: unanswered.message }, 'outbound: no answer');
        throw unanswered;
      }
    },
  };

  async function askInTurn(url: URL, host: string, outgoing: Outgoing, signal: AbortSignal): Promise<OutboundAnswer> {
    const end = await turns.take(host, signal);
    if (end === undefined) throw new OutboundError(`${LIMITS.waitingMax} requests wait for their turn already`);
    try {
      const addresses = isAddress(host) ? [{ address: host, family: 0 }] : await untilFired(resolve(host), signal);
      for (const { address } of addresses) {
        const range = refusedRange(host, address, allowed);
        if (range !== undefined) throw new RefusedHost(address, range);
      }
      return await sendRequest(url, addresses, outgoing, signal);
    } finally {
      end();
    }
  }
}

/** That a host has an address which objects may not reach: asking again changes nothing. */
export class RefusedHost extends OutboundError {
  readonly address: string;
  readonly range: string;

  constructor(address: string, range: string) {
    super(
      `its host has an address that objects may not reach (${range}); the server allows hosts with --allow-outbound`,
    );
    this.address = address;
    this.range = range;
  }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new OutboundError('its address is not one of HTTP');
}

function resolveWithSystem(host: string): Promise<readonly ResolvedAddress[]> {
  return lookup(host, { all: true });
}

/** The result of work that cannot be ended. Rejects when the signal fires before. */
function untilFired<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const give = (): void => reject(signal.reason);
    signal.addEventListener('abort', give, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', give));
  });
}

function toldAs(error: unknown, deadline: AbortSignal, msMax: number): OutboundError {
  if (error instanceof OutboundError) return error;
  if (deadline.aborted) return new OutboundError(`it did not answer in ${msMax / 1_000} s`);
  return new OutboundError(`it cannot be reached (${codeOf(error)})`);
}

/** The platform's name of an error: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
