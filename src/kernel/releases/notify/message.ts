import type { NotificationSpec } from '../kinds/notification.ts';
import { webhookSignature } from './webhook-signature.ts';

/** PagerDuty's endpoint for events. */
const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';
/** Limits of Slack and PagerDuty. */
const SLACK_TEXT_CHARS = 2_900;
const PAGERDUTY_SUMMARY_CHARS = 1_000;

/** A notification with the context of its release. */
export interface NotificationContext {
  /** Name of the Notification, by which receivers drop repetitions. */
  readonly id: string;
  readonly spec: NotificationSpec;
  readonly policy?: string;
  /** Link to the release. */
  readonly link?: string;
  /** Content of the channel's Secret. */
  readonly secret?: string;
  /** The time of this attempt. */
  readonly nowMs: number;
}

export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The HTTP message for a channel; undefined without an address. Pure. */
export function messageFor(telling: NotificationContext): Message | undefined {
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

function urlOf({ spec: { channel }, secret }: NotificationContext): string | undefined {
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
function webhookHeaders({ id, secret, nowMs }: NotificationContext, body: string): Record<string, string> {
  const seconds = Math.floor(nowMs / 1_000);
  const head = { 'webhook-id': id, 'webhook-timestamp': String(seconds) };
  return secret === undefined
    ? head
    : { ...head, 'webhook-signature': webhookSignature(secret, { id, seconds, body }) };
}

function webhookBody({ id, spec: { release, event, phase, message, at }, policy, link }: NotificationContext): object {
  return { id, type: `release.${event}`, release, phase, message, at, policy, link };
}

const TITLES: Readonly<Record<string, string>> = {
  started: 'has started',
  approvalNeeded: 'waits for approval',
  stage: 'is in its next stage',
  paused: 'is paused',
  resumed: 'is resumed',
  promoted: 'is promoted',
  rolledBack: 'was rolled back',
  aborted: 'was aborted',
  superseded: 'was superseded',
  failed: 'cannot continue',
};

function titleOf({ release, event }: NotificationSpec): string {
  return `Release ${release} ${TITLES[event] ?? event}`;
}

function slackBody({ spec, policy, link }: NotificationContext): object {
  const title = titleOf(spec);
  const context = [`Phase ${spec.phase}`, ...(policy === undefined ? [] : [`policy ${policy}`]), spec.at].join(' · ');
  const linked = link === undefined ? '' : ` · <${slackText(link)}|Open release>`;
  return {
    text: slackText(title),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: title.slice(0, 150) } },
      { type: 'section', text: { type: 'mrkdwn', text: slackText(spec.message, SLACK_TEXT_CHARS) || ' ' } },
      { type: 'context', elements: [{ type: 'mrkdwn', text: `${slackText(context)}${linked}` }] },
    ],
  };
}

/** Escapes Slack's three control characters; cuts between characters when too long. */
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

/** Events that need attention; all others are progress or the end. */
const TROUBLE: ReadonlySet<string> = new Set(['paused', 'failed', 'rolledBack', 'approvalNeeded']);

/** Whether an event resolves the incident that the channel has opened: PagerDuty receives it whatever the channel asks for. */
export function endsIncident({ type, on }: NotificationSpec['channel'], event: string): boolean {
  // A start resolves only the wait for approvals.
  const ended = event === 'started' ? ['approvalNeeded'] : [...TROUBLE];
  return type === 'pagerduty' && !TROUBLE.has(event) && on.some((one) => ended.includes(one));
}

function pagerDutyBody({ spec, policy, link, secret = '' }: NotificationContext): object {
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
    ...(link === undefined ? {} : { links: [{ href: link, text: 'Release' }] }),
  };
}
