import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import { runController, type ControllerMetrics, type Requeue } from '#kernel/controllers/controller.ts';
import { Unanswered, type Outbound } from '#kernel/outbound/outbound.ts';
import type { Answered } from '#kernel/outbound/send-request.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import type { Author, Change, Entry, Store } from '#kernel/resources/store-contract.ts';
import { Notification, type NotificationSpec, type NotificationStatus } from '../kinds/notification.ts';
import { Release } from '../kinds/release.ts';
import { missingKey, secretText } from '../secret-text.ts';
import { messageFor } from './message.ts';
import { isGivenUp, isOutdated, retryAfterMs, retryMs } from './schedule.ts';

const AUTHOR: Author = { user: 'system:releases', requestId: 'notify' };

const LIMITS = {
  /** Messages on their way at a time, and of those to one receiver: a slow one holds up nobody else. */
  workers: 256,
  perReceiver: 4,
  answerMsMax: 10_000,
  answerBytesMax: 64 * 1024,
  /** How often what is no longer needed is dropped, and how much of it at a time. */
  sweepMs: 3_600_000,
  sweptMax: 500,
} as const;

/**
 * Tells people what happened to releases: every Notification is sent until somebody has taken it, at least once, and what
 * one release tells one channel arrives in order. Goes by what is stored, so that it may be killed at any moment; what was
 * sent and not noted is sent again, under the same name.
 */
export function runNotifications(options: {
  readonly store: Store<Operation>;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly time: Time;
  readonly random: () => number;
  /** Where people look at a release. */
  readonly linkTo?: (release: string) => string;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}): { readonly stop: () => Promise<void> } {
  const { store, outbound, clock, time, random, linkTo, log } = options;
  /** What is still to be told, by line: one for each release and channel. */
  const lines = new Map<string, Set<string>>();
  /** What is on its way to a receiver, and the lines that wait for their turn there. */
  const receivers = new Map<string, { sending: number; readonly waiting: Set<string> }>();
  const controller = runController({
    name: 'notifications',
    watches: [],
    reconcile,
    workers: LIMITS.workers,
    time,
    random,
    log,
    metrics: options.metrics,
  });
  for (const entry of store.list(Notification)) follow(entry);
  const unsubscribe = store.subscribe((changes: readonly Change[]) => {
    for (const { entry, type } of changes) {
      if (entry.kind !== Notification) continue;
      if (type === 'DELETED') forget(lineOf(Notification.spec(entry.object())), entry.name);
      else follow(entry);
    }
  });
  let sweeping: Promise<void> = Promise.resolve();
  let cancelSweep = time.after(0, sweep);
  return {
    stop: async () => {
      cancelSweep();
      unsubscribe();
      await Promise.all([controller.stop(), sweeping]);
    },
  };

  function follow(entry: Entry): void {
    const object = entry.object();
    const line = lineOf(Notification.spec(object));
    const { deliveredAt } = statusOf(object);
    if (deliveredAt !== undefined) return forget(line, entry.name);
    const waiting = lines.get(line) ?? new Set();
    if (waiting.has(entry.name)) return;
    lines.set(line, waiting.add(entry.name));
    controller.add(line);
  }

  function forget(line: string, name: string): void {
    const waiting = lines.get(line);
    waiting?.delete(name);
    if (waiting?.size === 0) lines.delete(line);
  }

  /** Tells the first of a line that can still be told. */
  async function reconcile(line: string): Promise<Requeue | void> {
    const nowMs = clock().epochMilliseconds;
    const [name] = [...(lines.get(line) ?? [])].sort((a, b) => orderOf(a) - orderOf(b));
    if (name === undefined) return;
    const object = store.get(Notification, '', name)?.object();
    if (object === undefined) return forget(line, name);
    const spec = Notification.spec(object);
    const before = statusOf(object);
    if (isGivenUp({ atMs: Date.parse(spec.at) }, nowMs)) {
      if (before.nextAt !== undefined || before.attempts === 0) {
        await note(name, {
          attempts: before.attempts,
          problem: `Given up: ${before.problem ?? 'never tried'}`,
          nextAt: null,
        });
      }
      forget(line, name);
      return { afterMs: 0 };
    }
    const waitsMs = before.nextAt === undefined ? 0 : Date.parse(before.nextAt) - nowMs;
    if (waitsMs > 0) return { afterMs: waitsMs };
    const turn = takeTurn(receiverOf(spec), line);
    if (turn === undefined) return;
    const result = await deliver(name, spec, nowMs).finally(turn.end);
    const attempts = before.attempts + 1;
    const doneMs = clock().epochMilliseconds;
    if (result.at === 'delivered') {
      await note(name, { attempts, deliveredAt: timeText(doneMs), problem: null, nextAt: null });
      forget(line, name);
      return { afterMs: 0 };
    }
    const afterMs = Math.ceil(retryMs(attempts, result.retryAfterMs, random));
    log.warn(
      { notification: name, channel: spec.channel.type, problem: result.problem },
      'a notification was not taken',
    );
    await note(name, { attempts, problem: result.problem, nextAt: timeText(doneMs + afterMs) });
    return { afterMs };
  }

  /** A place among those that a receiver is told something by; undefined when the line has to wait for one. */
  function takeTurn(receiver: string, line: string): { readonly end: () => void } | undefined {
    const one = receivers.get(receiver) ?? { sending: 0, waiting: new Set() };
    receivers.set(receiver, one);
    if (one.sending >= LIMITS.perReceiver) {
      one.waiting.add(line);
      return undefined;
    }
    one.waiting.delete(line);
    one.sending += 1;
    return {
      end: () => {
        one.sending -= 1;
        const [next] = one.waiting;
        if (next !== undefined) {
          one.waiting.delete(next);
          controller.add(next);
        } else if (one.sending === 0) receivers.delete(receiver);
      },
    };
  }

  async function deliver(name: string, spec: NotificationSpec, nowMs: number): Promise<Delivery> {
    const { channel, release } = spec;
    const secret = channel.secret === undefined ? undefined : secretText(store, channel.secret);
    if (channel.secret !== undefined && secret === undefined) {
      return { at: 'failed', problem: `Not sent: ${missingKey(channel.secret)}.` };
    }
    const entry = store.get(Release, '', release);
    const policy = entry === undefined ? undefined : Release.spec(entry.object()).policy?.name;
    const message = messageFor({
      id: name,
      spec,
      nowMs,
      ...(policy === undefined ? {} : { policy }),
      ...(linkTo === undefined ? {} : { link: linkTo(release) }),
      ...(secret === undefined ? {} : { secret }),
    });
    if (message === undefined) return { at: 'failed', problem: 'Not sent: the channel does not say where to.' };
    try {
      const answered = await outbound.ask(
        { kind: Notification.kind, name },
        { method: 'POST', ...message, msMax: LIMITS.answerMsMax, bytesMax: LIMITS.answerBytesMax },
      );
      return outcomeOf(answered, channel.type, clock().epochMilliseconds);
    } catch (error) {
      // Whatever else is thrown may tell of the address, which may be secret.
      const why = error instanceof Unanswered ? error.message : 'its address cannot be used';
      return { at: 'failed', problem: `Not taken: ${why}.` };
    }
  }

  async function note(name: string, status: object): Promise<void> {
    const operation: Operation = {
      verb: 'patch',
      kind: Notification.id,
      namespace: '',
      name,
      part: 'status',
      patchType: 'merge',
      patch: { status },
      fieldValidation: 'Ignore',
    };
    try {
      await store.write([operation], AUTHOR);
    } catch (error) {
      // Somebody deleted it meanwhile: then nobody needs to know.
      if (!(error instanceof Refusal && error.reason === 'NotFound')) throw error;
    }
  }

  function sweep(): void {
    const nowMs = clock().epochMilliseconds;
    const outdated: Operation[] = [...store.list(Notification)]
      .filter((entry) => {
        const object = entry.object();
        const { deliveredAt } = statusOf(object);
        const deliveredMs = deliveredAt === undefined ? undefined : Date.parse(deliveredAt);
        return isOutdated({ atMs: Date.parse(Notification.spec(object).at), deliveredMs }, nowMs);
      })
      .slice(0, LIMITS.sweptMax)
      .map(({ name }) => ({ verb: 'delete', kind: Notification.id, namespace: '', name }));
    sweeping = (outdated.length === 0 ? Promise.resolve() : store.write(outdated, AUTHOR)).then(
      () => {},
      (error: unknown) => log.debug({ err: error }, 'old notifications were not dropped'),
    );
    cancelSweep = time.after(LIMITS.sweepMs, sweep);
  }
}

type Delivery =
  | { readonly at: 'delivered' }
  | { readonly at: 'failed'; readonly problem: string; readonly retryAfterMs?: number | undefined };

/** What Slack says in one word, like `channel_is_archived`: nothing that was sent looks like it. */
const SLACK_WORD = /^[a-z_]{3,60}$/;

function outcomeOf(
  { status, headers, text }: Answered,
  type: NotificationSpec['channel']['type'],
  nowMs: number,
): Delivery {
  if (status >= 200 && status < 300) return { at: 'delivered' };
  const said = type === 'slack' && SLACK_WORD.test(text) ? `: ${text}` : '';
  const moved = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  return {
    at: 'failed',
    problem: `Not taken: it answered ${status}${said}${moved}.`,
    retryAfterMs: retryAfterMs(headers['retry-after'], nowMs),
  };
}

/** Whatever one release tells one channel. */
function lineOf({ release, channel }: NotificationSpec): string {
  return `${release} ${contentHash(channel)}`;
}

/** Where messages go, as far as it can be slow: an address without its query, or what a Secret says. */
function receiverOf({ channel: { type, url, secret } }: NotificationSpec): string {
  const isAddressSecret = type === 'slack' && secret !== undefined;
  const address = url === undefined || !URL.canParse(url) ? undefined : new URL(url);
  return isAddressSecret || address === undefined
    ? `${type} ${JSON.stringify(secret)}`
    : `${address.host}${address.pathname}`;
}

/** When it was told, to the millisecond: what names end with, see `notifications` of the engine. */
function orderOf(name: string): number {
  return Number.parseInt(name.slice(name.lastIndexOf('-') + 1), 36);
}

function statusOf(notification: { readonly status?: unknown }): NotificationStatus {
  return { attempts: 0, ...Notification.status(notification) };
}

function timeText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString();
}
