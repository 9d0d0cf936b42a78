import { createHmac } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';

/**
 * The symmetric signature of Standard Webhooks 1.0: over id, time and body, against replays. A secret that begins with `whsec_` is
 * followed by base64, as its libraries write it; any other is used as is.
 */
export function webhookSignature(
  secret: string,
  { id, seconds, body }: { readonly id: string; readonly seconds: number; readonly body: string },
): string {
  const text = secret.trim();
  const key = text.startsWith(SECRET_PREFIX) ? Buffer.from(text.slice(SECRET_PREFIX.length), 'base64') : text;
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`;
}
