import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { parseAttribute } from '../terminal/attribute-option.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, type Colours, type Io } from '../terminal/io.ts';
import { breakText, explanationText, type BreakAnswer, type BreakExplanation } from './break-text.ts';

/** Options of a question about a break, by the names of its inputs. */
export interface AskOptions extends ConnectionOptions {
  readonly placement: string;
  readonly context?: readonly string[];
  readonly output: 'table' | 'json';
}

/** `backline ads decide`: the ads of a break. */
export function decide(options: AskOptions, io: Io): Promise<number> {
  return ask('/v1/ads/decide', options, io, (answer, colours) => breakText(answer as BreakAnswer, colours));
}

/** `backline ads explain`: why a break is as it is. */
export function explain(options: AskOptions, io: Io): Promise<number> {
  return ask('/v1/ads/explain', options, io, (answer, colours) => explanationText(answer as BreakExplanation, colours));
}

async function ask(
  path: string,
  options: AskOptions,
  io: Io,
  say: (answer: unknown, colours: Colours) => string,
): Promise<number> {
  const { kubeconfig: _kubeconfig, server: _server, token: _token, output, context, ...inputs } = options;
  const body = {
    ...inputs,
    ...(context === undefined ? {} : { context: Object.fromEntries(context.map(parseAttribute)) }),
  };
  const answer = await call(connectionFrom(options, io), 'POST', path, { body });
  if (output === 'json') io.exact.write(`${JSON.stringify(answer, null, 2)}\n`);
  else io.stdout.write(`${say(answer, coloursFor(io.stdout, io.env))}\n`);
  return EXIT.ok;
}
