import type { NotificationSpec } from '../kinds/notification.ts';
import { webhookSignature } from './webhook-signature.ts';

/** Where PagerDuty takes events. */
const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';
/** What Slack and PagerDuty take at most. */
const SLACK_TEXT_CHARS = 2_900;
const PAGERDUTY_SUMMARY_CHARS = 1_000;

/** One thing to tell, with what is known of its release. */
export interface Telling {
  /** Name of the Notification: what receivers tell repetitions by. */
  readonly id: string;
  readonly spec: NotificationSpec;
  readonly policy?: string;
  /** Where to look at the release. */
  readonly link?: string;
  /** What the Secret of the channel holds. */
  readonly secret?: string;
  /** The time of this attempt. */
  readonly nowMs: number;
}

export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What is sent to a channel; undefined when nothing is said where to. Pure. */
export function messageFor(telling: Telling): Message | undefined {
  const { id, spec } = telling;
  const { type } = spec.channel;
  const url = urlOf(telling);
  if (url === undefined) return undefined;
  const body = JSON.stringify(
    type === 'slack' ? slackBody(telling) : type === 'pagerduty' ? pagerDutyBody(telling) : webhookBody(telling),
  );
  const headers = { 'content-type': 'application/json', 'user-agent': 'backline', 'idempotency-key': id };
  return { url, headers: type === 'webhook' ? { ...headers, ...webhookHeaders(telling, body) } : headers, body };
}

function urlOf({ spec: { channel }, secret }: Telling): string | undefined {
  switch (channel.type) {
    case 'webhook':
      return channel.url;
    case 'slack':
      return secret?.trim() ?? channel.url;
    case 'pagerduty':
      return channel.url ?? PAGERDUTY_URL;
    default:
      return channel.type satisfies never;
  }
}

/** The headers of Standard Webhooks; without a secret there is no signature. */
function webhookHeaders({ id, secret, nowMs }: Telling, body: string): Record<string, string> {
  const seconds = Math.floor(nowMs / 1_000);
  const head = { 'webhook-id': id, 'webhook-timestamp': String(seconds) };
  return secret === undefined
    ? head
    : { ...head, 'webhook-signature': webhookSignature(secret, { id, seconds, body }) };
}

function webhookBody({ id, spec: { release, event, phase, message, at }, policy, link }: Telling): object {
  return { id, type: `release.${event}`, release, phase, message, at, policy, link };
}

const TITLES: Readonly<Record<string, string>> = {
  started: 'has begun',
  approvalNeeded: 'waits for approval',
  stage: 'is in its next stage',
  paused: 'is paused',
  resumed: 'goes on',
  promoted: 'is with everybody',
  rolledBack: 'was rolled back',
  aborted: 'was aborted',
  superseded: 'was superseded',
  failed: 'cannot go on',
};

function titleOf({ release, event }: NotificationSpec): string {
  return `Release ${release} ${TITLES[event] ?? event}`;
}

function slackBody({ spec, policy, link }: Telling): object {
  const title = titleOf(spec);
  const context = [`Phase ${spec.phase}`, ...(policy === undefined ? [] : [`policy ${policy}`]), spec.at].join(' · ');
  const linked = link === undefined ? '' : ` · <${slackText(link)}|Look at it>`;
  return {
    text: slackText(title),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: title.slice(0, 150) } },
      { type: 'section', text: { type: 'mrkdwn', text: slackText(spec.message, SLACK_TEXT_CHARS) || ' ' } },
      { type: 'context', elements: [{ type: 'mrkdwn', text: `${slackText(context)}${linked}` }] },
    ],
  };
}

/** With Slack's three control characters escaped, cut between characters where it becomes too long. */
function slackText(text: string, charsMax = Infinity): string {
  let escaped = '';
  for (const character of text) {
    const next = SLACK_ENTITIES[character] ?? character;
    if (escaped.length + next.length > charsMax) break;
    escaped += next;
  }
  return escaped;
}

const SLACK_ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** What somebody has to look at; everything else says that it goes on by itself, or has ended. */
const TROUBLE: ReadonlySet<string> = new Set(['paused', 'failed', 'rolledBack', 'approvalNeeded']);

/** Whether an event resolves what the channel has opened: PagerDuty hears of it whatever the channel asks for. */
export function endsIncident({ type, on }: NotificationSpec['channel'], event: string): boolean {
  // What begins ends nothing but the wait for approvals.
  const ended = event === 'started' ? ['approvalNeeded'] : [...TROUBLE];
  return type === 'pagerduty' && !TROUBLE.has(event) && on.some((one) => ended.includes(one));
}

function pagerDutyBody({ spec, policy, link, secret = '' }: Telling): object {
  const { release, event, message, phase, at } = spec;
  const key = { routing_key: secret.trim(), dedup_key: release };
  if (!TROUBLE.has(event)) return { ...key, event_action: 'resolve' };
  return {
    ...key,
    event_action: 'trigger',
    payload: {
      summary: `${titleOf(spec)}: ${message}`.slice(0, PAGERDUTY_SUMMARY_CHARS),
      source: 'backline',
      severity: event === 'approvalNeeded' ? 'info' : event === 'paused' ? 'warning' : 'error',
      timestamp: at,
      component: release,
      class: `release.${event}`,
      custom_details: { phase, policy, message },
    },
    ...(link === undefined ? {} : { links: [{ href: link, text: 'The release' }] }),
  };
}
