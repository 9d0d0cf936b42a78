import type { JWTPayload } from 'jose';
import type { Clock } from '#kernel/base/clock.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import { RateLimiter, type Rate } from '#kernel/http/rate.ts';
import type { User } from '#kernel/api/authority.ts';
import type { KnownClient } from './client-table.ts';

/** How often one listener's app may ask on this node with a publishable key, which everybody can copy. */
const SUBJECT_RATE: Rate = { perSecond: 20, burst: 100 };

/** The units of work of bodies from one address, while it needs no credential. */
const OPEN_RATE: Rate = { perSecond: 500, burst: 1_000 };

/** How often one user may read the record of a listener on this node: as somebody does who helps listeners. */
const RECORD_RATE: Rate = { perSecond: 5, burst: 100 };

/** Rates of this node: each refuses with `http/too-many-requests` or `access/too-many-records`. */
export function gateRates(clock: Clock) {
  const limiter = new RateLimiter();
  const recordLimiter = new RateLimiter();
  const subjectLimiter = new RateLimiter();
  const openLimiter = new RateLimiter();
  return { spend, spendOfSubject, spendRecord, chargeAddress };

  /** Counted on this node alone. */
  function spend({ name, spec: { rate } }: KnownClient, nowMs: number): void {
    if (rate === undefined) return;
    const { perSecond, burst = perSecond } = rate;
    if (limiter.spend(name, { perSecond, burst }, nowMs)) return;
    throw httpRefusal('too-many-requests', `Client ${name} asks more than ${perSecond} times a second.`, {
      retryAfterSeconds: 1,
      remedy: 'Ask less often, or have its rate raised.',
    });
  }

  /** Whatever the Client as a whole may ask, one app of one listener may ask so much, and pays for its bodies. */
  function spendOfSubject(exchange: Exchange, { name }: KnownClient, { sub = '' }: JWTPayload): void {
    const pay = (units: number): void => {
      if (subjectLimiter.spend(`${name} ${sub}`, SUBJECT_RATE, clock().epochMilliseconds, units)) return;
      throw httpRefusal(
        'too-many-requests',
        `One subject of client ${name} asks for more than ${SUBJECT_RATE.perSecond} units of work a second; a small request is one, each 2 KiB of a body one more.`,
        { retryAfterSeconds: 1, remedy: 'Ask for all flags at once, and send events in batches.' },
      );
    };
    pay(1);
    exchange.chargeTo(pay);
  }

  function chargeAddress(exchange: Exchange): void {
    const address = exchange.request.socket.remoteAddress ?? '';
    exchange.chargeTo((units) => {
      if (openLimiter.spend(address, OPEN_RATE, clock().epochMilliseconds, units)) return;
      throw httpRefusal(
        'too-many-requests',
        `Bodies from ${address} come to more than ${OPEN_RATE.perSecond} units of work a second; each 2 KiB is one.`,
        { retryAfterSeconds: 1, remedy: 'Declare a Client, and ask with its key.' },
      );
    });
  }

  function spendRecord(user: User): void {
    if (recordLimiter.spend(user.name, RECORD_RATE, clock().epochMilliseconds)) return;
    const { perSecond } = RECORD_RATE;
    throw accessRefusal(
      'too-many-records',
      `User "${user.name}" reads more than ${perSecond} records of listeners a second.`,
      { retryAfterSeconds: 1, remedy: 'Read fewer at once; an application reads them as a server Client.' },
    );
  }
}
