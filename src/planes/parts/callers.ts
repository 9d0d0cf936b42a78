import { authenticateWith, type Authenticator } from '#kernel/access/authentication/authenticate.ts';
import { refuseImpersonation, type Impersonate } from '#kernel/access/authentication/impersonate.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import { RateLimiter, type Rate } from '#kernel/http/rate.ts';
import type { PathAttributes, User } from '#kernel/api/authority.ts';

/**
 * The work that one user may cause in the resource API of one process. A small request is one unit; large bodies and
 * answers add units. Far more than a busy controller needs.
 */
const USER_RATE: Rate = { perSecond: 500, burst: 1_000 };
/** Administrators must get through when something runs wild. */
const UNLIMITED_GROUP = 'system:masters';

/** Authenticates the sender of a request and charges its rate; undefined without a valid credential. */
export type UserOf = (exchange: Exchange) => Promise<User | undefined>;

/** @param impersonate gives the user that a request is for, of the one who sends it and pays for it */
export function callersBy(
  authenticators: readonly Authenticator[],
  impersonate: Impersonate = refuseImpersonation,
): UserOf {
  const authenticate = authenticateWith(authenticators);
  const limiter = new RateLimiter();
  return async (exchange) => {
    const user = await authenticate(exchange.request);
    if (user === undefined) return undefined;
    // A caller that mints tokens gets no higher rate by it.
    const payer = user.mintedBy?.at(-1) ?? user.name;
    const isLimited = !user.groups.includes(UNLIMITED_GROUP);
    exchange.countCaller(isLimited ? `user "${payer}"` : undefined);
    if (isLimited) requireRate(exchange, payer, limiter);
    return impersonate(user, exchange.request);
  };
}

function requireRate(exchange: Exchange, name: string, limiter: RateLimiter): void {
  const pay = (units: number, afterwards: boolean): void => {
    const nowMs = performance.now();
    if (afterwards) return limiter.charge(name, USER_RATE, nowMs, units);
    if (limiter.spend(name, USER_RATE, nowMs, units)) return;
    throw httpRefusal(
      'too-many-requests',
      `User "${name}" asks for more than ${USER_RATE.perSecond} units of work a second; a small request is one, each 2 KiB of a body and each 64 KiB of an answer one more.`,
      { retryAfterSeconds: 1, remedy: 'Wait a moment; a watch brings changes without asking.' },
    );
  };
  pay(1, false);
  exchange.chargeTo(pay);
}

/** Lets administrators alone through: a process without the resource API knows no RBAC rules. */
export function authorizeAdministrators(user: User, { verb, path }: PathAttributes): void {
  if (user.groups.includes(UNLIMITED_GROUP)) return;
  throw accessRefusal('forbidden', `User "${user.name}" cannot ${verb} path "${path}" on this node.`, {
    remedy: 'Use the key of a Client, or ask a node that runs the API as well.',
  });
}
