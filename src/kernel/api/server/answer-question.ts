import type { Kind } from '#kernel/kinds/kind.ts';
import { sendJson, warningHeaders } from '../answer.ts';
import { readObject } from '../body.ts';
import { attemptOf } from '../call.ts';
import { checkPosted } from '../check-posted.ts';
import type { ResourceServer, VerbRequest } from './context.ts';

/** A question or command as it comes in. */
interface Question {
  readonly kind: Kind;
  /** Its handler, see `ResourceServer.virtual`. */
  readonly id: string;
}

/** Answers a posted question or command. That it was posted is on record before the answer goes out. */
export async function answerQuestion(
  { virtual, authority }: ResourceServer,
  { exchange, limit, call, query, accepted, requireObject }: VerbRequest,
  { kind, id }: Question,
): Promise<void> {
  const answerTo = virtual.get(id);
  if (answerTo === undefined) throw new Error(`nothing answers ${id}`);
  if (kind.writesOthers === true) authority.requireWriter(call.user);
  const { value, warnings } = await readObject(exchange, kind, query.fieldValidation);
  const posted = checkPosted(kind, value, query.fieldValidation);
  const { user, author, target } = call;
  const { namespace, name } = target;
  const asked = { user, author, dryRun: query.dryRun, namespace, name, limit, requireObject };
  const answer = await answerTo(posted.object, asked);
  await authority.recordAttempt(author, attemptOf(call, 201));
  const headers = warningHeaders([...warnings, ...posted.warnings]);
  sendJson(exchange, { status: 201, json: JSON.stringify(answer), accepted, headers });
}
