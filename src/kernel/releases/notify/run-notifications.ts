import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import { runController, type ControllerMetrics, type Requeue } from '#kernel/controllers/controller.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Change, Entry, Store } from '#kernel/store/contract.ts';
import { Notification, type NotificationStatus } from '../kinds/notification.ts';
import { receiverOf, receiverTurns, type TakeTurn } from './receiver-turns.ts';
import { givenUp, isOutdated, nextStep, retryMs } from './schedule.ts';
import { sendNotification, type SendParts } from './send-notification.ts';
import { lineOf, waitingLines, type WaitingLines } from './waiting-lines.ts';

const AUTHOR: Author = { user: 'system:releases', requestId: 'notify' };

const LIMITS = {
  /** Messages in flight, in all and to one receiver: a slow receiver does not delay others. */
  workers: 256,
  perReceiver: 4,
  /** Interval of the cleanup, and the number of deletions in one. */
  sweepMs: 3_600_000,
  sweptMax: 500,
} as const;

interface NotifyOptions extends SendParts {
  readonly time: Time;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}

/**
 * Delivers Notifications: each is sent at least once until a receiver accepts it, and those of one release to one channel arrive in
 * order. The process may be killed at any moment: state is stored, and a delivery that was not recorded is repeated under the same
 * name.
 */
export function runNotifications(options: NotifyOptions): { readonly stop: () => Promise<void> } {
  const { store, time, random, log } = options;
  const lines = waitingLines();
  const controller = runController({
    name: 'notifications',
    watches: [],
    reconcile: (line) => tell(line),
    workers: LIMITS.workers,
    time,
    random,
    log,
    metrics: options.metrics,
  });
  const takeTurn = receiverTurns(LIMITS.perReceiver, (line) => controller.add(line));
  const tell = lineTeller(options, lines, takeTurn);
  for (const entry of store.list(Notification)) follow(entry);
  const unsubscribe = store.subscribe((changes: readonly Change[]) => {
    for (const { entry, type } of changes) {
      if (entry.kind !== Notification) continue;
      if (type === 'DELETED') lines.remove(lineOf(Notification.spec(entry.object())), entry.name);
      else follow(entry);
    }
  });
  const sweeper = startSweeper(options);
  return {
    stop: async () => {
      sweeper.cancel();
      unsubscribe();
      await Promise.all([controller.stop(), sweeper.underWay()]);
    },
  };

  function follow(entry: Entry): void {
    const object = entry.object();
    const line = lineOf(Notification.spec(object));
    const { deliveredAt, givenUpAt } = statusOf(object);
    if (deliveredAt !== undefined || givenUpAt !== undefined) lines.remove(line, entry.name);
    else if (lines.add(line, entry.name)) controller.add(line);
  }
}

/** Sends the first pending notification of a line. */
function lineTeller(
  options: NotifyOptions,
  lines: WaitingLines,
  takeTurn: TakeTurn,
): (line: string) => Promise<Requeue | void> {
  const { store, clock, random, log } = options;
  return async (line) => {
    const nowMs = clock().epochMilliseconds;
    const name = lines.first(line);
    if (name === undefined) return;
    const object = store.get(Notification, '', name)?.object();
    if (object === undefined) return lines.remove(line, name);
    const spec = Notification.spec(object);
    const before = statusOf(object);
    const step = nextStep(Date.parse(spec.at), before, nowMs);
    if (step.at === 'givenUp') {
      if (step.status !== undefined) await noteStatus(store, name, step.status);
      lines.remove(line, name);
      return { afterMs: 0 };
    }
    if (step.at === 'waiting') return { afterMs: step.afterMs };
    const turn = takeTurn(receiverOf(spec), line);
    if (turn === undefined) return;
    const result = await sendNotification(options, name, spec, nowMs).finally(turn.end);
    const attempts = before.attempts + 1;
    const doneMs = clock().epochMilliseconds;
    if (result.at === 'delivered') {
      await noteStatus(store, name, { attempts, deliveredAt: timeText(doneMs), problem: null, nextAt: null });
      lines.remove(line, name);
      return { afterMs: 0 };
    }
    const { problem } = result;
    if (result.at === 'refused') {
      log.error({ notification: name, channel: spec.channel.type, problem }, 'notification: given up');
      await noteStatus(store, name, givenUp({ attempts, problem }, doneMs));
      lines.remove(line, name);
      return { afterMs: 0 };
    }
    const afterMs = Math.ceil(retryMs(attempts, result.retryAfterMs, random));
    log.warn({ notification: name, channel: spec.channel.type, problem }, 'notification: not delivered');
    await noteStatus(store, name, { attempts, problem, nextAt: timeText(doneMs + afterMs) });
    return { afterMs };
  };
}

async function noteStatus(store: Store<Operation>, name: string, status: object): Promise<void> {
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
    // Somebody deleted it meanwhile.
    if (!(error instanceof Refusal && error.reason === 'NotFound')) throw error;
  }
}

/** Deletes outdated notifications, at once and then periodically. */
function startSweeper({ store, clock, time, log }: NotifyOptions): {
  readonly cancel: () => void;
  readonly underWay: () => Promise<void>;
} {
  let sweeping: Promise<void> = Promise.resolve();
  let cancel = time.after(0, sweep);
  return { cancel: () => cancel(), underWay: () => sweeping };

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
      (error: unknown) => log.debug({ err: error }, 'notification: cleanup failed'),
    );
    cancel = time.after(LIMITS.sweepMs, sweep);
  }
}

function statusOf(notification: { readonly status?: unknown }): NotificationStatus {
  return { attempts: 0, ...Notification.status(notification) };
}

function timeText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString();
}
