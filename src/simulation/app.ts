import { isRecord } from '#kernel/base/is-record.ts';
import { readText, send, type Connection } from '#kernel/api/client/http.ts';
import type { Listener } from './listener.ts';
import type { AppEvent, ShownFlag } from './session.ts';
import type { SeenPrice, Shelf } from './shop.ts';

/** How the app talks to Backline: as a person's app does, but with the token of the simulation. */
export interface App {
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/** The flags that a listener is shown: those that a rule, an experiment or a holdout decides by chance. */
export async function askFlags(
  app: App,
  context: object,
): Promise<{ readonly shown: readonly ShownFlag[]; readonly snapshot: string }> {
  const answer = await post(app, '/ofrep/v1/evaluate/flags', { context });
  const { flags = [], metadata = {} } = answer as {
    flags?: { key: string; variant?: string; reason?: string; metadata?: Record<string, string> }[];
    metadata?: { snapshot?: string };
  };
  const shown = flags.flatMap(({ key, variant, reason, metadata: about = {} }): ShownFlag[] => {
    if (variant === undefined || reason !== 'SPLIT') return [];
    const { rule = '', experiment = '', assignmentId = '', holdout = '', version = '' } = about;
    return [{ flag: key, variant, reason, rule, experiment, assignmentId, holdout, specRevision: version }];
  });
  return { shown, snapshot: metadata.snapshot ?? '' };
}

/** The prices in the shop of the listener's market; none where the business has no such market. */
export async function askPrices(app: App, { id, market }: Listener): Promise<Shelf> {
  const { status, answer } = await ask(app, 'POST', '/v1/prices', { listener: id, market });
  if (status !== 200) return { prices: [], releases: [] };
  const { prices = [], snapshot = {} } = answer as {
    prices?: SeenPrice[];
    snapshot?: { releases?: { name: string }[] };
  };
  return { prices, releases: (snapshot.releases ?? []).map(({ name }) => name) };
}

/** Whether the listener may skip a track now. Where skips are not counted, everybody may. */
export async function askToSkip(app: App, { id, plan, market }: Listener, key: string): Promise<boolean> {
  const question = { listener: id, plan, market, feature: 'skips', amount: 1, key };
  const { status, answer } = await ask(app, 'POST', '/v1/consume', question);
  return status !== 200 || !('outcome' in answer) || answer.outcome === 'allow';
}

/** Sends the events of a session. @returns the outcome of each. */
export async function sendEvents(
  app: App,
  { subject, seed, events }: { readonly subject: string; readonly seed: number; readonly events: readonly AppEvent[] },
  now: Temporal.Instant,
): Promise<readonly string[]> {
  // Events lie in the past: the last of them is now.
  const shiftMs = now.epochMilliseconds - (events.at(-1)?.atMs ?? 0);
  const body = {
    sentAt: now.toString(),
    events: events.map(({ type, atMs, properties }, index) => ({
      type,
      // Says nothing of the listener: an id stays when a listener is erased.
      id: `${(seed >>> 0).toString(36)}-${shiftMs.toString(36)}-${index}`,
      at: new Date(atMs + shiftMs).toISOString(),
      subject,
      properties,
    })),
  };
  const answer = await post(app, '/v1/events', body);
  const { results } = answer as { results: { outcome: string }[] };
  return results.map(({ outcome }) => outcome);
}

async function post(app: App, path: string, body: object): Promise<object> {
  const { status, answer, text } = await ask(app, 'POST', path, body);
  if (status === 200) return answer;
  const detail = isRecord(answer) ? (answer['detail'] ?? answer['errorDetails']) : undefined;
  throw new Error(`POST ${path}: ${status} ${typeof detail === 'string' ? detail : text.slice(0, 200)}`);
}

/** A 5xx is the server's fault, and fails; anything else is an answer. */
export async function ask(
  { connection, signal }: App,
  method: string,
  path: string,
  body: object,
): Promise<{ readonly status: number; readonly answer: object; readonly text: string }> {
  const received = await send(connection, method, path, { body: JSON.stringify(body), signal });
  const status = received.statusCode ?? 0;
  const text = await readText(received);
  if (status >= 500) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 200)}`);
  const parsed: unknown = text === '' ? {} : JSON.parse(text);
  return { status, text, answer: isRecord(parsed) ? parsed : {} };
}
