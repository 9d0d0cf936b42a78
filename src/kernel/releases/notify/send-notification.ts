import type { Clock } from '#kernel/base/clock.ts';
import { RefusedHost, OutboundError, type Outbound } from '#kernel/outbound/outbound.ts';
import type { OutboundAnswer } from '#kernel/outbound/send-request.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import { Notification, type NotificationSpec } from '../kinds/notification.ts';
import { Release } from '../kinds/release.ts';
import { missingKey, secretText } from '../secret-text.ts';
import { messageFor } from './message.ts';
import { retryAfterMs } from './schedule.ts';

const LIMITS = {
  answerMsMax: 10_000,
  answerBytesMax: 64 * 1024,
} as const;

export interface SendParts {
  readonly store: Store<Operation>;
  readonly outbound: Outbound;
  readonly clock: Clock;
  /** Link to a release for people. */
  readonly linkTo?: (release: string) => string;
}

export type Delivery =
  | { readonly at: 'delivered' }
  | { readonly at: 'failed'; readonly problem: string; readonly retryAfterMs?: number | undefined }
  /** A retry would fail too. */
  | { readonly at: 'refused'; readonly problem: string };

/** Sends one notification once. */
export async function sendNotification(
  { store, outbound, clock, linkTo }: SendParts,
  name: string,
  spec: NotificationSpec,
  nowMs: number,
): Promise<Delivery> {
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
  if (message === undefined) return { at: 'failed', problem: 'Not sent: the channel has no address.' };
  try {
    const answered = await outbound.ask(
      { kind: Notification.kind, name },
      { method: 'POST', ...message, msMax: LIMITS.answerMsMax, bytesMax: LIMITS.answerBytesMax },
    );
    return outcomeOf(answered, channel.type, clock().epochMilliseconds);
  } catch (error) {
    // Other errors may contain the address, which may be secret.
    const why = error instanceof OutboundError ? error.message : 'its address cannot be used';
    return { at: error instanceof RefusedHost ? 'refused' : 'failed', problem: `Not taken: ${why}.` };
  }
}

/** A one-word error of Slack, like `channel_is_archived`: it contains nothing of the message. */
const SLACK_WORD = /^[a-z_]{3,60}$/;

function outcomeOf(
  { status, headers, text }: OutboundAnswer,
  type: NotificationSpec['channel']['type'],
  nowMs: number,
): Delivery {
  if (status >= 200 && status < 300) return { at: 'delivered' };
  const word = type === 'slack' && SLACK_WORD.test(text) ? `: ${text}` : '';
  const moved = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  return {
    at: 'failed',
    problem: `Not taken: it answered ${status}${word}${moved}.`,
    retryAfterMs: retryAfterMs(headers['retry-after'], nowMs),
  };
}
