import { encodeYaml } from '#kernel/api/codec/body.ts';
import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import {
  checkText,
  explainText,
  pricesText,
  type CheckAnswer,
  type ExplainAnswer,
  type PricesAnswer,
} from './decision-text.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, type Colours, type Io } from '../terminal/io.ts';

/** A question to the decision API; the names are those of its parameters. */
export interface Question {
  readonly listener?: string;
  readonly plan?: string;
  readonly feature?: string;
  readonly market?: string;
  readonly territory?: string;
  readonly role?: string;
  readonly channel?: string;
  readonly interval?: string;
  readonly at?: string;
}

const PARAMETERS = ['listener', 'plan', 'feature', 'market', 'territory', 'role', 'channel', 'interval', 'at'] as const;

export type DecideOptions = Question & ConnectionOptions & { readonly output?: 'json' | 'yaml' };

/** `backline check`: whether a listener gets a feature. */
export function check(options: DecideOptions, io: Io): Promise<number> {
  return ask('/v1/check', options, io, (answer, colours) => checkText(answer as CheckAnswer, colours));
}

/** `backline prices`: what plans cost in a market. */
export function prices(options: DecideOptions, io: Io): Promise<number> {
  return ask('/v1/prices', options, io, (answer) => pricesText(answer as PricesAnswer));
}

/** `backline explain`: why an answer is what it is. */
export function explain(options: DecideOptions, io: Io): Promise<number> {
  return ask('/v1/explain', options, io, (answer, colours) => explainText(answer as ExplainAnswer, colours));
}

async function ask(
  path: string,
  options: DecideOptions,
  io: Io,
  say: (answer: unknown, colours: Colours) => string,
): Promise<number> {
  const query = new URLSearchParams();
  for (const name of PARAMETERS) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  const answer = await call(connectionFrom(options, io), 'GET', `${path}?${query.toString()}`);
  const { output } = options;
  const text =
    output === 'json'
      ? JSON.stringify(answer, null, 2)
      : output === 'yaml'
        ? encodeYaml(answer).trimEnd()
        : say(answer, coloursFor(io.stdout, io.env));
  (output === undefined ? io.stdout : io.exact).write(`${text}\n`);
  return EXIT.ok;
}
